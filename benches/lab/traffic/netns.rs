//! Network namespaces with names, and work that is done in them.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, anyhow, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process;

/// Makes one, with its loopback up.
pub fn add(name: &str) -> anyhow::Result<()> {
    ip(&format!("netns add {name}\n"))?;
    within(name, || ip("link set lo up\n"))
}

/// Runs `job` in a namespace. What it starts stays there.
pub fn within<T: Send>(name: &str, job: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let enter = || {
        let namespace = File::open(Path::new("/run/netns").join(name))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        job()
    };
    let result = thread::scope(|scope| scope.spawn(enter).join());
    result.map_err(|_| anyhow!("the thread panicked"))?.with_context(|| format!("in the namespace {name}"))
}

/// Runs lines of `ip -batch` in the namespace of this thread.
pub fn ip(lines: &str) -> anyhow::Result<()> {
    process::run("ip", &["-batch", "-"], lines).map(drop)
}

/// Sets sysctls, below /proc/sys, in the namespace of this thread.
pub fn sysctls(settings: &[(&str, &str)]) -> anyhow::Result<()> {
    for (name, value) in settings {
        fs::write(Path::new("/proc/sys").join(name), value).with_context(|| format!("{name} = {value}"))?;
    }
    Ok(())
}

/// A program that runs until this is dropped.
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it in the namespace of this thread. What it prints goes to `log`.
    pub fn start(program: &str, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| program.to_owned())?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Fails if it has ended.
    pub fn is_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended: {status}: {}", fs::read_to_string(&self.log)?),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
