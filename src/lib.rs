//! ipvsd makes the Linux kernel's IPVS load balancer declarative.
//!
//! An operator writes down the virtual services that should exist. ipvsd reads what the kernel has over
//! netlink, works out the fewest add / edit / delete operations between the two, applies them in an order
//! that hurts no connection, and keeps it so.
//!
//! # The rooms
//!
//! One path through all of them; the commands differ in where they stop on it:
//!
//! ```text
//!  files ─config::load─▶ Desired ─┐
//!  health, overrides, ramps ──────┼─overlay─▶ effective ─┐
//!                                 │                      ├─diff─▶ Plan ─guard─▶ carry out ─▶ read back ─▶ record
//!  kernel ──Ipvs::read──▶ live ───┴──────────────────────┘
//!  check: up to Desired    plan: up to Plan    apply: once, to the end    run: for ever
//! ```
//!
//! - [`model`] is the vocabulary: services, destinations, tables, what is desired, what is owned. Pure data,
//!   and it uses nothing else here.
//! - [`config`] turns TOML and YAML into [`model::Desired`], or into every problem in them, each with file,
//!   line, column and a caret. Uses `model`.
//! - [`import`] reads what was written for other programs (ipvsadm, keepalived, ldirectord, …) into a draft of a configuration, which
//!   `config` writes. Uses `model` and `config`.
//! - [`plan`] is the pure heart: the weight of each destination, diff, order, guard, how what is deleted leaves, and what
//!   people and programs get to read of it. Uses `model`; has no clock, no IO, no log.
//! - [`netlink`] speaks netlink, whatever it is about: messages and attributes, batches, and a socket that reads every answer
//!   to its end, and lets a watchdog hear of each. Uses nothing else here.
//! - [`ipvs`] is the edge to the kernel's IPVS: the codec, the requests, the trait that all else sees of it, and a fake
//!   that one conformance suite holds to the real one. Uses `model`, `plan`'s operations, and `netlink`.
//! - [`reconcile`] makes passes: one, or for ever, over everything or over the services that something has happened to. Uses
//!   `model`, `plan` and the [`ipvs::Ipvs`] trait; where the configuration comes from is behind a trait as well.
//! - [`health`] checks destinations, on a thread beside the loop, and wakes it when a verdict changes. Uses `model` and
//!   what the loop has for it: the trait [`reconcile::Checker`] and the events. [`process`] runs programs for it and for hooks.
//! - [`host`] is what surrounds IPVS: interfaces and addresses (over `netlink`), sysctls, modules, and the doctor. Uses `model`
//!   and what the loop has for it, the trait [`reconcile::Host`].
//! - [`source`] is where destinations come from that nobody writes down: containers of a Docker engine, and what names stand for. It keeps a picture of what it
//!   has seen, wakes the loop when that changes, and says in a pure function what follows. Uses `model` and the loop's events.
//! - [`watch`] wakes the loop when files move or signals come. Uses the loop's events, nothing else.
//! - [`api`] answers over HTTP: GORB's interface, our own, metrics, and the status page. It knows the status, the loop's events and
//!   `plan`'s words; all else the daemon does for it, behind the trait [`api::Backstage`].
//! - [`daemon`] puts it all together for `ipvsd run`, with hooks, a socket on which it can be asked, the folder of what came over the
//!   API, and what the service manager is told; [`cli`] for the other commands. Those that look (`show`, `explain`, `top`) share one
//!   picture of what is live and known.
//!
//! Dependencies go in that one direction; `tests/architecture.rs` holds the table.
//!
//! # What does not change
//!
//! Nothing is deleted that is not owned, unless `manage` says so. Nothing is deleted on the word of one dump. A
//! pass over a table that is as it should be sends nothing. A configuration with a mistake changes nothing. A
//! service that has weight before and after a pass has weight all the way through it, whatever fails.

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod health;
pub mod host;
pub mod import;
pub mod ipvs;
pub mod model;
pub mod netlink;
pub mod plan;
pub mod process;
pub mod reconcile;
pub mod source;
pub mod watch;
