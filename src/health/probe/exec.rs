//! `exec`: runs a program without a shell; exit status 0 is up.
//!
//! Its environment is PATH and what it is to check: `IPVSD_SERVICE` (the service's key, `tcp://192.0.2.10:80`),
//! `IPVSD_NAME` (what the configuration calls the service), `IPVSD_DESTINATION` (`10.0.0.11:8080`), `IPVSD_ADDRESS` and
//! `IPVSD_PORT` (where to connect to, overrides applied), and `IPVSD_PROTOCOL` (the service's: `tcp`, `udp`, `sctp`;
//! empty for a firewall mark).

use std::borrow::Cow;

use super::Job;
use crate::model::ServiceKey;
use crate::process::{self, How, Program};

/// So much of what the program says becomes part of the reason: the end of it, in bytes.
const LONGEST: usize = 200;

pub(super) async fn run(job: &Job, argv: &[String]) -> Result<(), String> {
    let env = environment(job);
    let ended = process::run(Program { argv, env: &env, input: None, timeout: job.check.timing.timeout }).await;
    match ended.how {
        How::Exited(0) => Ok(()),
        how if ended.output.is_empty() => Err(how.to_string()),
        how => Err(format!("{how}: {}", end_of(&ended.output))),
    }
}

fn environment(job: &Job) -> Vec<(&'static str, String)> {
    let mut env = vec![("IPVSD_ADDRESS", job.address.ip().to_string()), ("IPVSD_PORT", job.address.port().to_string())];
    if let Some(context) = &job.exec {
        let protocol = match context.service {
            ServiceKey::Address { protocol, .. } => protocol.to_string(),
            ServiceKey::Mark { .. } => String::new(),
        };
        env.push(("IPVSD_SERVICE", context.service.to_string()));
        env.push(("IPVSD_NAME", context.name.clone()));
        env.push(("IPVSD_DESTINATION", context.destination.to_string()));
        env.push(("IPVSD_PROTOCOL", protocol));
    }
    env
}

/// The end of a text, with `…` before it if there was more.
fn end_of(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return text.into();
    }
    let mut from = text.len() - (LONGEST - '…'.len_utf8());
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("…{}", text.get(from..).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::ExecContext;
    use super::*;
    use crate::health::testing::{check, key};

    fn check_by(script: &str, timeout: Duration) -> Result<(), String> {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let (service, destination) = key("tcp://192.0.2.10:80", "[2001:db8::11]:8080");
        let mut check = check("exec");
        check.timing.timeout = timeout;
        let exec = Some(ExecContext { service, name: "web".to_owned(), destination });
        let job = Job {
            check: Arc::new(check),
            address: "[2001:db8::11]:8081".parse().unwrap(),
            mark: None,
            destination: [10, 0, 0, 1].into(),
            exec,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&job, &argv))
    }

    #[test]
    fn the_exit_status_decides_and_its_words_say_why() {
        let long = Duration::from_secs(30);
        assert_eq!(check_by("exit 0", long), Ok(()));
        assert_eq!(check_by("exit 3", long), Err("exit status 3".to_owned()));
        assert_eq!(check_by("echo one; echo two >&2; exit 3", long), Err("exit status 3: one two".to_owned()));
        assert_eq!(check_by("kill -9 $$", long), Err("killed by signal 9".to_owned()));
        let many = check_by("i=0; while [ $i -lt 300 ]; do printf é; i=$((i+1)); done; exit 1", long).unwrap_err();
        assert_eq!(many, format!("exit status 1: …{}", "é".repeat(98)));
    }

    #[test]
    fn it_is_told_what_to_check_and_nothing_else() {
        let told = |script: &str| check_by(&format!("{script}; exit 1"), Duration::from_secs(30)).unwrap_err();
        assert_eq!(
            told("env | grep ^IPVSD_ | sort | head -n 3"),
            "exit status 1: IPVSD_ADDRESS=2001:db8::11 IPVSD_DESTINATION=[2001:db8::11]:8080 IPVSD_NAME=web"
        );
        assert_eq!(
            told("env | grep ^IPVSD_ | sort | tail -n +4"),
            "exit status 1: IPVSD_PORT=8081 IPVSD_PROTOCOL=tcp IPVSD_SERVICE=tcp://192.0.2.10:80"
        );
        // These the shell adds.
        let rest = told("env | grep -v ^IPVSD_ | cut -d= -f1 | grep -v -e ^PWD -e ^SHLVL -e ^_ -e ^OLDPWD");
        assert_eq!(rest, "exit status 1: PATH");
    }

    #[test]
    fn a_program_that_forks_and_hangs_is_ended() {
        let result = check_by("sleep 1000 & sleep 1000", Duration::from_millis(50));
        assert_eq!(result, Err("not ended within 50ms".to_owned()));
    }

    #[test]
    fn a_program_that_is_not_there_says_so() {
        let argv = ["/nonexistent/check".to_owned()];
        let job = Job {
            check: Arc::new(check("exec")),
            address: "10.0.0.1:1".parse().unwrap(),
            mark: None,
            destination: [10, 0, 0, 1].into(),
            exec: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(run(&job, &argv));
        assert_eq!(result, Err("cannot be started: No such file or directory".to_owned()));
    }
}
