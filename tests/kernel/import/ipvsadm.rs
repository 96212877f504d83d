use super::*;
use crate::netns::{ipvsadm, run};

/// The rules as `ipvsadm -R` takes them.
fn restored(name: &str) {
    let program = Program::new();
    fixture(&program, name);
    import(&program, "ipvsadm", name);
    let wanted = applied(&program);
    let _kernel = netns::enter();
    ipvsadm(&["-R"], &std::fs::read_to_string(program.path(name)).unwrap());
    becomes(&program, &wanted, name);
    // What `ipvsadm -S` writes of it means the same, with names and without.
    for option in ["-Sn", "-S"] {
        program.write("saved", &ipvsadm(&[option], ""));
        import(&program, "ipvsadm", "saved");
        // Thresholds are not in it.
        let plan = program.run(CONFIG, &["plan"]).out;
        let is_same = plan.contains("No changes") || plan.contains("0 to add, 2 to edit, 0 to delete");
        assert!(is_same, "{option}: {plan}");
    }
}

#[test]
fn every_option() {
    restored("every-option.rules");
}

#[test]
fn edits_and_deletes() {
    restored("edits.rules");
}

#[test]
fn a_script() {
    let program = Program::new();
    fixture(&program, "script.sh");
    import(&program, "ipvsadm", "script.sh");
    let wanted = applied(&program);
    let _kernel = netns::enter();
    run("sh", &[&program.path("script.sh").display().to_string()], "");
    becomes(&program, &wanted, "script.sh");
}
