//! A daemon that goes away and comes back, and one that wants tokens.

use crate::chrome::Chrome;
use crate::picture;
use crate::still::{House, Still, down, many};

#[test]
fn a_daemon_that_goes_away_is_missed_and_found_again() {
    let (status, live) = many(2, 3);
    let stage = Still::new(status, live);
    let house = House::open(&stage, 0, None);
    let port = house.address.port();
    let mut chrome = Chrome::start();
    chrome.window(1200, 700, "light");
    chrome.open(&house.url());
    chrome.wait_text("#link", "live");
    chrome.eval("window.witness = 1");
    drop(house);
    chrome.wait_text("#link", "lost");
    chrome.wait_text("#lost", "No word from ipvsd since");
    chrome.wait_text("#lost", "The kernel goes on balancing meanwhile.");
    chrome.wait("/, for ([2-9]|[1-9][0-9])s: /.test(document.querySelector('#lost-why').innerText)");
    chrome.wait_text("#services", "web-0");
    chrome.shoot(&picture("lost"), false);
    // It goes on counting, and knows that what it shows is old.
    assert_eq!(chrome.eval("document.documentElement.classList.contains('stale')"), true);

    for service in stage.status.lock().unwrap().services.values_mut() {
        let first = *service.destinations.keys().next().unwrap();
        service.destinations.insert(first, down("http: connection refused"));
        service.up = 2;
    }
    let _house = House::open(&stage, port, None);
    chrome.wait_text("#link", "live");
    chrome.wait("document.querySelector('#lost').hidden");
    chrome.wait_text("#attention", "http: connection refused");
    chrome.wait_text(".service .pill", "2 of 3 up");
    assert_eq!(chrome.eval("window.witness"), 1, "without being loaded again");
}

#[test]
fn a_token_is_asked_for_and_a_read_one_gives_no_buttons() {
    let (reads, writes) = ("read-token-0123456789", "write-token-0123456789");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("read {reads}\nwrite {writes}\n")).unwrap();
    let (status, live) = many(1, 2);
    let stage = Still::new(status, live);
    let house = House::open(&stage, 0, Some(file.clone()));
    let mut chrome = Chrome::start();
    chrome.window(800, 700, "light");
    // The page is behind it, too: a browser has asked for it, and shows it as the password of any user from then on.
    chrome.open(&house.url().replace("http://", &format!("http://any:{reads}@")));
    chrome.wait_text("#link", "live");
    chrome.wait_text("#facts", "2 destinations");
    assert_eq!(chrome.eval("document.querySelectorAll('.row').length"), 2);
    assert_eq!(chrome.eval("document.querySelectorAll('.row button').length"), 0, "who may only read has no buttons");

    // It is withdrawn.
    std::fs::write(&file, format!("write {writes}\n")).unwrap();
    chrome.wait("(look(), document.querySelector('#dialog').open)");
    chrome.wait_text("#dialog", "A token, please");
    chrome.shoot(&picture("token"), false);
    let enter = |chrome: &mut Chrome, token: &str| {
        chrome.wait("document.activeElement.id === 'token' && document.activeElement.value === ''");
        chrome.write(token);
        chrome.key("Enter");
    };
    enter(&mut chrome, "not-a-token-0123456789");
    chrome.wait_text("#dialog-trouble", "This token is not known.");
    // Whoever has none is left alone, and can change their mind.
    chrome.key("Escape");
    chrome.wait("!document.querySelector('#dialog').open");
    chrome.wait_text("#lost", "it wants a token");
    chrome.click("#enter");
    enter(&mut chrome, writes);
    chrome.wait("document.querySelectorAll('.row button').length === 4");
    chrome.wait_text("#link", "live");
    assert_eq!(chrome.eval("sessionStorage.getItem('token')"), writes, "for as long as the tab is open");
    assert_eq!(chrome.eval("document.body.innerText.includes('token-0123456789')"), false);
}
