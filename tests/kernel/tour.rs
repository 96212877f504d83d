//! What documents show is replayed: every command in their `console` blocks, and every line that it prints.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A fenced block: its language, and what is in it.
type Block<'t> = (&'t str, &'t str);

fn blocks(text: &str) -> Vec<Block<'_>> {
    let fenced = text.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// A command and what it should print.
fn steps(block: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("the block begins with output: {line}"),
        }
    }
    steps
}

fn read(document: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap()
}

/// The name of the file that a block is to be written to: its first line says it.
fn file_name<'t>((language, text): &Block<'t>) -> Option<&'t str> {
    let name = text.lines().next()?.strip_prefix("# ")?;
    name.ends_with(&format!(".{language}")).then_some(name)
}

/// Goes through a text in a folder and a namespace of its own, with what it writes into files. Gives the number of commands.
fn replay(text: &str) -> usize {
    super::netns::enter();
    let folder = tempfile::tempdir().unwrap();
    let state_dir = Path::new("/var/lib/ipvsd");
    let _ = fs::remove_dir_all(state_dir);
    let bin = Path::new(env!("CARGO_BIN_EXE_ipvsd")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut commands = 0;
    for block in blocks(text) {
        if let Some(name) = file_name(&block) {
            let to = folder.path().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, block.1).unwrap();
        }
        if block.0 != "console" {
            continue;
        }
        for (command, expected) in steps(block.1) {
            commands += 1;
            let output = Command::new("bash")
                .args(["-c", &format!("exec 2>&1; {command}")])
                .current_dir(folder.path())
                .env("PATH", &path)
                .env("IPVSD_CONFIG", "ipvsd.toml")
                .env("IPVSD_STATE_DIR", state_dir)
                .output()
                .unwrap();
            let printed = usual_size(&at_noon(&String::from_utf8(output.stdout).unwrap()));
            // What is cut off ends in an ellipsis; spaces at the ends of lines are ipvsadm's.
            match expected.strip_suffix("…\n") {
                Some(start) => assert!(printed.starts_with(start), "{command}\n{printed}"),
                None => assert_eq!(printed, expected, "{command}"),
            }
        }
    }
    commands
}

/// The size of the table of connections, which is the kernel's affair, as it is in most of them.
fn usual_size(text: &str) -> String {
    text.replacen("(size=256)", "(size=4096)", 1)
}

/// Times of the day as the documents have them, and lines without spaces at their ends.
fn at_noon(text: &str) -> String {
    let is_time = |word: &str| {
        word.len() == 5 && word.chars().enumerate().all(|(at, c)| if at == 2 { c == ':' } else { c.is_ascii_digit() })
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let told = words.iter().enumerate().map(|(at, word)| match words.get(at + 1) {
            Some(next) if next.starts_with("UTC") && is_time(word) => "12:34",
            _ => word,
        });
        told.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
    };
    text.lines().map(line).collect()
}

#[test]
fn the_readme_tells_what_happens() {
    let readme = read("README.md");
    let tour = readme.split("## Five minutes").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands = replay(tour);
    assert!(commands > 10, "only {commands} commands found");
}

#[test]
fn the_tutorial_tells_what_happens() {
    let commands = replay(&read("packaging/doc/tutorial.md"));
    assert!(commands > 10, "only {commands} commands found");
}

#[test]
fn each_task_is_done_as_it_is_written() {
    let text = read("packaging/doc/howto.md");
    let tasks: Vec<&str> = text.split("\n## ").skip(1).collect();
    assert!(tasks.len() > 8, "only {} tasks found", tasks.len());
    for task in tasks {
        assert!(replay(task) > 1, "nothing is done: {task}");
    }
}
