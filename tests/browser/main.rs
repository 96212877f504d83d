//! The status page in a real browser: Debian's chromium, without a screen, on a daemon whose kernel is the fake one.
//!
//! `tests/lab/browser cargo test --test browser` fetches the browser where there is none. The pictures that it takes lie in
//! `$LAB_OUT`, or in target/tmp.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod away;
mod chrome;
mod large;
mod still;
mod theatre;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use chrome::Chrome;
use ipvsd::api::Role;
use ipvsd::ipvs::Errno;
use ipvsd::model::Health;
use theatre::Theatre;

const CONFIG: &str = r#"
version = 1

[defaults]
check = "web"

[checks.web]
http = { path = "/healthz" }

[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
min_healthy = 2
destinations = [
  { address = "10.0.0.11:8080" },
  { address = "10.0.0.12:8080" },
  { address = "10.0.0.13:8080", weight = 50 },
]

[[services]]
name = "api"
address = "tcp://[2001:db8::10]:443"
scheduler = "mh"
destinations = [
  { address = "[2001:db8:1::21]:8443" },
  { address = "[2001:db8:1::22]:8443", weight = 200 },
]

[[services]]
name = "dns"
address = ["udp://192.0.2.53:53", "tcp://192.0.2.53:53"]
scheduler = "rr"
destinations = [{ address = "10.0.0.53:53" }, { address = "10.0.0.54:53" }]
"#;

const WEB: &str = "tcp://192.0.2.10:80";

fn picture(name: &str) -> PathBuf {
    let folder = std::env::var_os("LAB_OUT").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let folder = PathBuf::from(folder).join("page");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}.png"))
}

/// The row of a destination.
fn row(service: &str, destination: &str) -> String {
    format!("[data-service='{service}'] [data-destination='{destination}']")
}

#[test]
fn it_shows_what_happens_without_a_reload() {
    let theatre = Theatre::start(CONFIG, Role::Write);
    let mut chrome = Chrome::start();
    chrome.window(1200, 900, "light");
    chrome.open(&theatre.url());
    chrome.wait_text("#summary", "The kernel is what the files say.");
    chrome.wait_text("#facts", "4 services");
    chrome.wait_text("#link", "live");
    chrome.wait("!document.querySelector('#calm').hidden");
    chrome.eval("window.witness = 1");
    assert_eq!(chrome.complaints(), [""; 0], "not a word on the console, and the policy lets all of it run");

    // Rates and open connections come in as they change.
    let [first, second, third] = ["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"].map(|of| row(WEB, of));
    chrome.wait(&format!("parseInt(document.querySelector(\"{first} .rate\").innerText) > 50"));
    chrome.wait(&format!("document.querySelector(\"{first} .spark path:last-child\").getAttribute('d').length > 20"));
    let shares =
        "[...document.querySelectorAll(\".service .flow\")[0].children].map((one) => Number(one.style.flexGrow))";
    chrome.wait(&format!("((all) => all.length === 2 || all.length === 3)({shares})"));
    chrome.wait_text(".caption", "where new connections go");

    // One goes down.
    theatre.judge(WEB, "10.0.0.12:8080", Health::Down, "http: status 503, expected 200-299");
    chrome.wait_text(&format!("{second} .health"), "down");
    chrome.wait_text(&format!("{second} .weight"), "0 of 100");
    chrome.wait_text("#attention", "10.0.0.12:8080 of web is down");
    chrome.wait_text("#attention", "http: status 503, expected 200-299");
    chrome.wait_text("#log", "10.0.0.12:8080 of web is down: http: status 503");
    chrome.wait_text("#log", "weight 100 → 0");
    chrome.wait_text(&format!("[data-service='{WEB}'] .pill"), "2 of 3 up");
    assert_eq!(theatre.weight(WEB, "10.0.0.12:8080"), Some(0));
    chrome.shoot(&picture("down"), true);

    // A second one, and the service has failed.
    theatre.judge(WEB, "10.0.0.11:8080", Health::Down, "http: connection refused");
    chrome.wait_text("#attention", "web has failed");
    chrome.wait_text(&format!("[data-service='{WEB}'] .pill"), "failed: 1 of 3 up");
    chrome.wait("document.title.startsWith('(2)')");
    for last in [11, 12] {
        theatre.judge(WEB, &format!("10.0.0.{last}:8080"), Health::Up, "");
    }
    chrome.wait_text(&format!("{first} .health"), "up");
    chrome.wait_text("#log", "web is restored");
    chrome.wait("!document.querySelector('#calm').hidden");

    // One leaves the configuration, and drains.
    theatre.configure(&CONFIG.replace("  { address = \"10.0.0.13:8080\", weight = 50 },\n", ""));
    chrome.wait_text(&format!("{third} .health"), "draining");
    chrome.wait_text("#attention", "10.0.0.13:8080 of web is draining");
    chrome.wait("/[0-9]+ connections? left, deleted in/.test(document.querySelector('#attention').innerText)");
    chrome.shoot(&picture("draining"), false);
    chrome.wait(&format!("document.querySelector(\"{third}\") === null"));
    chrome.wait_text("#log", "10.0.0.13:8080 of web is drained and gone");

    // The files are refused.
    theatre.configure(&CONFIG.replace("min_healthy", "min_helthy"));
    chrome.wait_text("#summary", "The files are refused");
    chrome.wait_text("#problems", "there is `min_healthy`");
    chrome.shoot(&picture("refused"), false);

    // The kernel refuses one.
    theatre.kernel.lock().refuse(WEB.parse().unwrap(), Some("10.0.0.13:8080".parse().unwrap()), Errno::INVAL);
    theatre.configure(CONFIG);
    chrome.wait_text("#summary", "1 object could not be put right");
    chrome.wait_text("#attention", "10.0.0.13:8080 of web could not be put right");
    chrome.wait_text(&format!("{third} .weight"), "not there");
    chrome.shoot(&picture("differs"), false);
    theatre.kernel.lock().relent();
    theatre.configure(CONFIG);
    chrome.wait_text("#summary", "The kernel is what the files say.");

    // Somebody else changes the table.
    theatre.kernel.lock().table().remove(&WEB.parse().unwrap());
    theatre.configure(CONFIG);
    chrome.wait_text("#log", "somebody had changed web, which is repaired");

    assert_eq!(chrome.eval("window.witness"), 1, "the page was never loaded again");
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
fn whoever_may_write_has_buttons_that_ask_first() {
    let theatre = Theatre::start(CONFIG, Role::Write);
    let mut chrome = Chrome::start();
    chrome.window(1200, 900, "dark");
    chrome.open(&theatre.url());
    let first = row(WEB, "10.0.0.11:8080");
    chrome.wait(&format!("document.querySelectorAll(\"{first} button\").length === 2"));

    // It asks, and no is no.
    chrome.click(&format!("{first} button"));
    chrome.wait_text("#dialog", "Drain 10.0.0.11:8080 of web?");
    chrome.wait_text("#dialog", "It gets no new connections; those that it has go on");
    chrome.shoot(&picture("dialog-dark"), false);
    chrome.key("Escape");
    chrome.wait("!document.querySelector('#dialog').open");
    assert_eq!(theatre.weight(WEB, "10.0.0.11:8080"), Some(100));

    chrome.click(&format!("{first} button"));
    chrome.click("#dialog-yes");
    chrome.wait_text("#toast", "10.0.0.11:8080 of tcp://192.0.2.10:80 (web) is drained");
    chrome.wait_text(&format!("{first} .health"), "drained");
    chrome.wait_text("#attention", "10.0.0.11:8080 of web is drained by hand");
    chrome.wait_text("#attention", "0 connections left");
    assert_eq!(theatre.weight(WEB, "10.0.0.11:8080"), Some(0));
    chrome.shoot(&picture("drained-dark"), true);

    // With the keyboard alone.
    chrome.eval(&format!("document.querySelector(\"{first} button\").focus()"));
    chrome.key("Enter");
    chrome.wait_text("#dialog", "Let 10.0.0.11:8080 of web have connections again?");
    chrome.key("Enter");
    chrome.wait_text(&format!("{first} .health"), "up");
    chrome.wait(&format!("document.querySelector(\"{first} .weight\").innerText.startsWith('100')"));

    // A weight, what is wrong with one, and taking it back.
    let weight = format!("{first} button:nth-of-type(2)");
    chrome.click(&weight);
    chrome.wait("document.activeElement.type === 'number'");
    chrome.eval("document.activeElement.select()");
    chrome.write("70000");
    chrome.key("Enter");
    chrome.wait_text("#dialog-trouble", "expected 0 to 65535");
    chrome.eval("document.querySelector('#dialog input').select()");
    chrome.write("10");
    chrome.key("Tab");
    chrome.write("10m");
    chrome.key("Enter");
    chrome.wait_text("#toast", "has weight 10 until");
    chrome.wait_text(&format!("{first} .weight"), "10 of 100");
    chrome.wait_text("#attention", "10.0.0.11:8080 of web has weight 10 by hand");
    chrome.wait("/for (9m|10m)/.test(document.querySelector('#attention').innerText)");
    chrome.click(&weight);
    chrome.click("#reset");
    chrome.wait("!document.querySelector('#calm').hidden");
    assert_eq!(theatre.weight(WEB, "10.0.0.11:8080"), Some(100));
    let complaints = chrome.complaints();
    assert!(
        complaints.iter().all(|said| said.contains("422")),
        "but for the weight that was too large: {complaints:?}"
    );
}

#[test]
fn it_is_legible_on_a_phone_and_at_night_and_goes_by_keys() {
    let mut theatre = Theatre::start(CONFIG, Role::Read);
    let mut chrome = Chrome::start();
    for (width, scheme) in [(360, "light"), (360, "dark"), (800, "light"), (1200, "light"), (1200, "dark")] {
        chrome.window(width, 780, scheme);
        chrome.open(&theatre.url());
        theatre.judge(WEB, "10.0.0.12:8080", Health::Down, "http: status 503, expected 200-299");
        chrome.wait_text("#attention", "is down");
        chrome.wait(&format!("document.querySelectorAll(\"{} .spark path\").length === 2", row(WEB, "10.0.0.11:8080")));
        assert_eq!(chrome.eval("document.documentElement.scrollWidth"), width, "nothing sticks out at {width}");
        assert_eq!(sticks_out(&mut chrome), serde_json::json!([]), "nothing is cut off at {width}");
        let small = "[...document.querySelectorAll('body *')].filter((one) => one.childNodes.length && \
             parseFloat(getComputedStyle(one).fontSize) < 11).map((one) => one.outerHTML)";
        assert_eq!(chrome.eval(small), serde_json::json!([]), "nothing is too small to read");
        assert_eq!(faint(&mut chrome), serde_json::json!([]), "nothing is too faint to read: {scheme}");
        assert_eq!(
            chrome.eval("document.querySelectorAll('#cards button').length"),
            0,
            "who may only read has no buttons"
        );
        chrome.shoot(&picture(&format!("{width}-{scheme}")), true);
        theatre.judge(WEB, "10.0.0.12:8080", Health::Up, "");
        chrome.wait("!document.querySelector('#calm').hidden");
    }

    chrome.key("/");
    chrome.wait("document.activeElement.id === 'filter'");
    chrome.write("2001:db8:1::22");
    chrome.wait("document.querySelectorAll('.service').length === 1");
    chrome.wait_text(".service", "api");
    chrome.key("Escape");
    chrome.wait("document.querySelectorAll('.service').length === 4");
    chrome.key("x");
    chrome.wait_text("#none", "No service is in trouble.");
    theatre.judge(WEB, "10.0.0.12:8080", Health::Down, "http: status 503, expected 200-299");
    chrome.wait("document.querySelectorAll('.service').length === 1");
    chrome.key("x");
    let ground = "getComputedStyle(document.documentElement).backgroundColor";
    let before = chrome.eval(ground);
    chrome.key("t");
    assert_ne!(chrome.eval(ground), before, "light is dark, and the other way round");
    assert_eq!(chrome.complaints(), [""; 0]);

    theatre.hang_up();
    chrome.wait_text("#link", "lost");
}

/// Not a test: the picture for the README, after two minutes of traffic.
#[test]
#[ignore = "it takes two minutes; tests/lab/browser cargo test --test browser pose -- --ignored"]
fn pose() {
    let theatre = Theatre::start(CONFIG, Role::Write);
    let mut chrome = Chrome::start();
    chrome.window(1100, 1000, "light");
    chrome.open(&theatre.url());
    std::thread::sleep(Duration::from_secs(110));
    theatre.judge(WEB, "10.0.0.12:8080", Health::Down, "http: status 503, expected 200-299");
    std::thread::sleep(Duration::from_secs(14));
    theatre.configure(&CONFIG.replace("  { address = \"10.0.0.13:8080\", weight = 50 },\n", ""));
    chrome.wait_text("#attention", "10.0.0.13:8080 of web is draining");
    std::thread::sleep(Duration::from_millis(700));
    chrome.shoot(&picture("readme"), false);
}

/// What is wider than its place.
fn sticks_out(chrome: &mut Chrome) -> serde_json::Value {
    chrome.eval(
        "[...document.querySelectorAll('.row > *, .attention *, .head > *')].filter((one) => one.scrollWidth > one.clientWidth + 1 \
         && getComputedStyle(one).display !== 'inline' && one.clientWidth > 0).map((one) => one.outerHTML)",
    )
}

/// Texts whose colour is too near to what is behind them: WCAG's 4.5 to 1.
fn faint(chrome: &mut Chrome) -> serde_json::Value {
    chrome.eval(
        "(() => {
          const parse = (text) => text.match(/[0-9.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
          const ground = (one) => { for (; one; one = one.parentElement) { const c = parse(getComputedStyle(one).backgroundColor);
            if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
          const found = [];
          for (const one of document.querySelectorAll('body *')) {
            if (![...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) || !one.checkVisibility()) continue;
            if (['SCRIPT', 'STYLE'].includes(one.tagName)) continue;
            const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
            if ((a + .05) / (b + .05) < 4.5) found.push(`${one.className || one.tagName}: ${one.innerText}`);
          }
          return found;
        })()",
    )
}
