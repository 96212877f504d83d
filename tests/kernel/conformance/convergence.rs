//! `carry_out`: what is so already is done.

use super::*;

pub(crate) fn what_is_gone_already_was_deleted(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let outcomes =
        on.carry_out(&[delete_destination(WEB, ONE), delete(WEB6), delete_destination(WEB6, ONE6), delete(WEB)]);
    use Outcome::{Converged, Done};
    assert_eq!(outcomes, [Converged, Converged, Converged, Done]);
}

pub(crate) fn what_exists_already_becomes_what_was_wanted(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.accepts(add(WEB6, &scheduled("rr")));
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.accepts(add_destination(WEB, "10.0.0.2:80", weighing(2)));
    let wanted = persistent(60, Netmask::Prefix(24), None);
    let outcomes = on.carry_out(&[
        add(WEB, &wanted),
        add(WEB6, &scheduled("rr")),
        add_destination(WEB, ONE, forwarded(Forward::Dr)),
        add_destination(WEB, "10.0.0.2:80", weighing(2)),
        add_destination(WEB, "10.0.0.3:80", weighing(3)),
    ]);
    use Outcome::{Converged, Done};
    assert_eq!(outcomes, [Converged, Converged, Converged, Converged, Done]);
    assert_eq!(on.settings(WEB), wanted);
    assert_eq!(on.destination(WEB, ONE), forwarded(Forward::Dr));
    assert_eq!(on.destination(WEB, "10.0.0.2:80"), weighing(2));
    assert_eq!(on.destination(WEB, "10.0.0.3:80"), weighing(3));
}

pub(crate) fn what_exists_and_cannot_become_what_was_wanted_failed(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let outcomes = on.carry_out(&[add(WEB, &scheduled("nosuch")), add_destination(WEB, ONE, weighing(1))]);
    assert!(matches!(&outcomes[0], Outcome::Failed(refusal) if refusal.errno == Errno::NOENT), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Done);
    assert_eq!(on.settings(WEB), scheduled("rr"));
}

pub(crate) fn what_depends_on_a_failure_is_skipped(on: &mut Subject<'_>) {
    let outcomes = on.carry_out(&[
        add(WEB6, &scheduled("rr")),
        add(WEB, &scheduled("nosuch")),
        add_destination(WEB, ONE, weighing(1)),
        add_destination(WEB6, ONE6, weighing(1)),
        add_destination("fwmark:9", ONE, weighing(1)),
        add_destination(WEB, "10.0.0.2:80", weighing(1)),
    ]);
    let errno = |index: usize| match &outcomes[index] {
        Outcome::Failed(refusal) => Some(refusal.errno),
        _ => None,
    };
    assert_eq!(outcomes[0], Outcome::Done);
    assert_eq!(errno(1), Some(Errno::NOENT));
    assert_eq!(outcomes[2], Outcome::Skipped { because: 1 });
    assert_eq!(outcomes[3], Outcome::Done);
    assert_eq!(errno(4), Some(Errno::SRCH), "nothing before it says why");
    assert_eq!(outcomes[5], Outcome::Skipped { because: 1 });
}
