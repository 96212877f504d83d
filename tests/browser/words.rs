//! Other people's words: whatever they hold, they are text.

use ipvsd::reconcile::{
    DestinationStatus, Failing, HostTrouble, Listener as _, Notice, ServiceStatus, Status, unix_now,
};

use crate::chrome::Chrome;
use crate::picture;
use crate::still::{House, Still, down, flowing, service, up};

const EVIL: [&str; 4] = [
    "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>",
    "\u{202e}gnp.exe\u{2066}‏שלום",
    "\"><svg onload=window.hacked=1>&lt;b&gt;&amp;",
    "a\u{0}\u{1b}[31m\u{feff}\u{200b}\u{2028}{{constructor}}${1}\\u003cb\\u003e🦀\u{301}\u{301}",
];

#[test]
fn names_and_reasons_are_text_whatever_they_hold() {
    let mut status = Status { pass_at: unix_now(), pass_why: EVIL[0].into(), ..Status::default() };
    status.trouble = Some(EVIL[2].into());
    status.suspicions = EVIL.map(str::to_owned).to_vec();
    status.host = EVIL.map(|evil| HostTrouble { object: evil.into(), reason: evil.into() }).to_vec();
    let mut live = ipvsd::model::Live::default();
    for (number, evil) in EVIL.iter().enumerate() {
        let key = format!("tcp://192.0.2.{number}:80").parse().unwrap();
        let destination = "10.0.0.1:80".parse().unwrap();
        let other = "10.0.0.2:80".parse().unwrap();
        let held = DestinationStatus { why: (*evil).into(), ..up() };
        let told = ServiceStatus {
            name: Some((*evil).into()),
            up: 1,
            of: 2,
            destinations: [(destination, down(evil)), (other, held)].into(),
            ..ServiceStatus::default()
        };
        status.services.insert(key, told);
        let mut found = service();
        found.destinations.insert(destination, flowing(5));
        live.services.insert(key, found);
        let now = unix_now();
        let reason = (*evil).to_owned();
        status.failing.push(Failing { service: key, destination: None, reason, tries: 1, since: now, retry_at: now });
    }
    let stage = Still::new(status, live);
    let house = House::open(&stage, 0, None);
    let mut chrome = Chrome::start();
    chrome.window(1200, 900, "light");
    chrome.open(&house.url());
    chrome.wait_text("#link", "live");
    let mut broadcast = ipvsd::api::Backstage::broadcast(&*stage).clone();
    for evil in EVIL {
        broadcast.notice(&Notice::DestinationDown {
            service: "tcp://192.0.2.0:80".parse().unwrap(),
            name: evil.into(),
            destination: "10.0.0.1:80".parse().unwrap(),
            reason: evil.into(),
        });
    }
    chrome.wait("document.querySelectorAll('#log > li').length === 4");
    let names = "[...document.querySelectorAll('.service h3')].map((one) => one.textContent).sort()";
    // To the letter; what is not seen, or turns the direction of text, is written out.
    let mut shown = vec![
        EVIL[0].to_owned(),
        "\\u202egnp.exe\\u2066\\u200fשלום".to_owned(),
        EVIL[2].to_owned(),
        EVIL[3].replace('\u{0}', "\\u0000").replace('\u{1b}', "\\u001b").replace('\u{feff}', "\\ufeff"),
    ];
    shown[3] = shown[3].replace('\u{200b}', "\\u200b").replace('\u{2028}', "\\u2028");
    shown.sort_by_key(|name| name.encode_utf16().collect::<Vec<u16>>());
    assert_eq!(chrome.eval(names), serde_json::json!(shown));
    for place in ["#attention", ".rows", "#log", "#trouble", "#pass"] {
        let holds = format!(
            "[...document.querySelectorAll({place:?})].some((one) => one.textContent.includes('onerror') || one.textContent.includes('onload'))"
        );
        assert_eq!(chrome.eval(&holds), true, "{place} has it, as text");
    }
    let made =
        "document.querySelectorAll('main img, main script, main svg[onload], main b b, main iframe, main a').length";
    assert_eq!(chrome.eval(made), 0, "and nothing of it is markup");
    assert_eq!(chrome.eval("window.hacked ?? null"), serde_json::Value::Null);
    // What stands beside words from right to left stays where it is.
    let turned = "(() => { const it = [...document.querySelectorAll('#attention .what')].find((one) => one.textContent.includes('gnp.exe') && one.textContent.endsWith('is down'));
        const range = document.createRange(); const end = it.lastChild; range.selectNodeContents(end);
        return range.getBoundingClientRect().left > it.querySelector('b').getBoundingClientRect().left; })()";
    assert_eq!(chrome.eval(turned), true);
    chrome.shoot(&picture("words"), true);
    assert_eq!(chrome.complaints(), [""; 0]);
}
