//! Pulse: what the checks find is what is shown, and what is in the table.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Shared;
use crate::world::{NOTHING, World};

#[track_caller]
fn wait(world: &World, path: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let shown = world.get(path);
        if is_it(&shown) {
            return shown;
        }
        assert!(Instant::now() < deadline, "waited for {what}: {shown}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_backend_that_dies_is_down_without_weight_and_comes_back_at_once() {
    let kernel = Shared::default();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("conf.d")).unwrap();
    std::fs::write(dir.path().join("conf.d/a.toml"), NOTHING).unwrap();
    let of_loop = kernel.clone();
    let world = World::start(dir, true, move || Box::new(of_loop));
    world.done("PUT", "/service/web", r#"{"host":"127.0.0.2","port":80}"#);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pulse = r#"{"type":"TCP","interval":"1s"}"#;
    world.done("PUT", "/service/web/r", &format!(r#"{{"host":"127.0.0.1","port":{port},"pulse":{pulse}}}"#));
    world.done("PUT", "/service/web/s", r#"{"host":"127.0.0.9","port":80,"weight":3,"pulse":{"type":"none"}}"#);
    assert_eq!(world.get("/service/web/r")["options"]["weight"], 100, "in use from the first");
    let up = wait(&world, "/service/web/r", "up", |shown| shown["metrics"]["health"] == 1);
    assert_eq!((&up["metrics"]["status"], &up["options"]["weight"]), (&json!(0), &json!(100)));
    wait(&world, "/service/web/r", "its uptime", |shown| shown["metrics"]["uptime"].as_u64() >= Some(1));
    assert_eq!(world.get("/service/web")["health"], 1);

    drop(listener);
    let down = wait(&world, "/service/web/r", "down", |shown| shown["metrics"]["status"] == 1);
    assert_eq!((&down["metrics"]["health"], &down["metrics"]["uptime"]), (&json!(0), &json!(0)));
    wait(&world, "/service/web/r", "no weight", |shown| shown["options"]["weight"] == 0);
    assert!(kernel.table().contains(&format!("tcp://127.0.0.2:80 -> 127.0.0.1:{port} nat 0")), "{:?}", kernel.table());
    assert_eq!(world.get("/service/web")["health"], 0.5);
    // Another weight while it is down counts when it is up.
    world.done("PATCH", "/service/web/r", r#"{"weight":55}"#);
    assert_eq!(world.get("/service/web/r")["options"]["weight"], 0);

    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    wait(&world, "/service/web/r", "its weight again", |shown| shown["options"]["weight"] == 55);
    assert!(kernel.table().contains(&format!("tcp://127.0.0.2:80 -> 127.0.0.1:{port} nat 55")));
}
