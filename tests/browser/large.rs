//! Large tables, and much that is wrong at once.

use ipvsd::reconcile::Status;

use crate::chrome::Chrome;
use crate::still::{House, Still, down, many};
use crate::{faint, picture, sticks_out};

const LONG: &str = "https: the certificate is not valid for the name \"backend.internal.example.org\": it was issued by \
    CN=Example Intermediate Authority G2 (2019), expired on the 29th of November, and is named for \
    host-1.internal.example.org, host-2.internal.example.org, host-3.internal.example.org";

/// Every seventh service loses most of its destinations, every eleventh one of them.
fn break_some(status: &mut Status) {
    for (number, service) in status.services.values_mut().enumerate() {
        let count = match number {
            number if number % 7 == 3 => service.of - 1,
            number if number % 11 == 2 => 1,
            _ => 0,
        };
        let reason = if number % 2 == 0 { "http: status 503, expected 200-299" } else { LONG };
        for destination in service.destinations.values_mut().take(count) {
            *destination = down(reason);
        }
        service.up -= count;
        service.failed = count > 1;
    }
}

#[test]
fn ten_thousand_destinations_have_shares_and_those_on_the_screen_a_line() {
    let (mut status, live) = many(1000, 10);
    break_some(&mut status);
    let stage = Still::new(status, live);
    let house = House::open(&stage, 0, None);
    let mut chrome = Chrome::start();
    chrome.window(1200, 900, "light");
    chrome.open(&house.url());
    chrome.wait_text("#facts", "10,000 destinations");
    // What broke for one reason is one entry, the worst first.
    chrome.wait_text("#attention > li:first-child", "services have failed");
    assert!(chrome.eval("document.querySelectorAll('#attention > li').length").as_u64().unwrap() <= 12);
    chrome.wait_text("#attention", "http: status 503, expected 200-299");
    chrome.shoot(&picture("10000"), false);
    // And so are the services: what is in trouble is on top.
    assert_eq!(chrome.text(".service .pill"), "failed: 1 of 10 up");
    chrome.eval("document.querySelector('.service').scrollIntoView()");
    let lines = "document.querySelectorAll('.service:first-child .spark path:last-child[d^=M]').length";
    chrome.wait(&format!("{lines} === 10"));
    let parts = "document.querySelectorAll('.service:first-child .flow i').length";
    assert_eq!(chrome.eval(parts), 10);
    chrome.wait_text(".service .caption", "where new connections go");
    chrome.shoot(&picture("10000-services"), false);
    // All others have their shares as they were seen last, and the page is not as long as the table.
    let bars = "[...document.querySelectorAll('.flow')].every((flow) => [...flow.children].some((one) => one.style.flexGrow > 0))";
    assert_eq!(chrome.eval(bars), true);
    assert!(chrome.eval("document.querySelectorAll('*').length").as_u64().unwrap() < 20_000);

    // One of those that nobody looks at is found, and has its line then.
    chrome.key("/");
    chrome.write("web-777");
    chrome.wait("document.querySelectorAll('.service').length === 1");
    chrome.wait(&format!("{lines} === 10"));
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
fn one_service_with_thousands_is_a_few_rows_and_a_button() {
    let (mut status, live) = many(1, 5000);
    for service in status.services.values_mut() {
        let last = *service.destinations.keys().last().unwrap();
        service.destinations.insert(last, down("dns: no answer"));
        service.up -= 1;
    }
    let stage = Still::new(status, live);
    let house = House::open(&stage, 0, None);
    let mut chrome = Chrome::start();
    chrome.window(1200, 900, "dark");
    chrome.open(&house.url());
    chrome.wait_text(".service .pill", "4,999 of 5,000 up");
    let rows = "document.querySelectorAll('.row').length";
    assert_eq!(chrome.eval(rows), 24);
    chrome.wait_text(".row:first-child", "dns: no answer");
    assert!(chrome.eval("document.querySelectorAll('.flow i').length").as_u64().unwrap() <= 49);
    chrome.shoot(&picture("5000-of-one"), false);
    chrome.click("button.rest");
    assert_eq!(chrome.eval(rows), 264);
    assert_eq!(chrome.complaints(), [""; 0]);
}

#[test]
fn three_hundred_services_in_trouble_are_legible_at_night_and_by_keys() {
    let (mut status, live) = many(300, 4);
    break_some(&mut status);
    let stage = Still::new(status, live);
    let house = House::open(&stage, 0, None);
    let mut chrome = Chrome::start();
    for (width, scheme) in [(360, "dark"), (360, "light"), (1200, "light")] {
        chrome.window(width, 780, scheme);
        chrome.open(&house.url());
        chrome.wait_text("#attention", "services have failed");
        assert_eq!(chrome.eval("document.documentElement.scrollWidth"), width, "nothing sticks out at {width}");
        assert_eq!(sticks_out(&mut chrome), serde_json::json!([]), "nothing is cut off at {width}");
        assert_eq!(faint(&mut chrome), serde_json::json!([]), "nothing is too faint to read: {scheme}");
        chrome.shoot(&picture(&format!("300-{width}-{scheme}")), false);
    }
    // With the keyboard alone: which they are, and all of a long reason; both stay when it is drawn again.
    chrome.eval("[...document.querySelectorAll('#attention > li')].find((one) => one.querySelector('.fold')).querySelector('.fold').focus()");
    chrome.key("Enter");
    chrome.wait("document.activeElement.getAttribute('aria-expanded') === 'true'");
    chrome.key("Tab");
    chrome.key("Enter");
    chrome.wait("document.activeElement.closest('details')?.open === true");
    chrome.eval("look()");
    assert_eq!(chrome.eval("document.activeElement.closest('details')?.open"), true, "and has the focus");
    chrome.wait("document.querySelectorAll('#attention .cut.whole').length === 1");
    assert!(chrome.text("#attention details[open]").contains("web-3: 1 of 4 up"));
    assert_eq!(chrome.complaints(), [""; 0]);
}
