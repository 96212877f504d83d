//! Streams of events.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::{WEB, ask, get, night};
use crate::api::broadcast::{KEPT, MOST_STREAMS};
use crate::api::testing::{Props, destination_key, open, service_key};
use crate::api::{Backstage as _, Broadcast};
use crate::ipvs::Error;
use crate::model::Desired;
use crate::reconcile::{Listener as _, Notice, PassError, Passed, Why};

fn down(broadcast: &Broadcast, reason: &str) {
    broadcast.clone().notice(&Notice::DestinationDown {
        service: service_key(WEB),
        name: "web".into(),
        destination: destination_key("10.0.0.11:80"),
        reason: reason.into(),
    });
}

#[tokio::test(start_paused = true)]
async fn a_reload_waits_for_a_pass_that_begins_after_it() {
    let props = Arc::new(Props::default());
    let mut broadcast = props.broadcast().clone();
    let why = Why { reload: true, ..Why::default() };
    let (result, desired) = (Err(PassError::Observe(Error::NotPermitted)), Desired::default());
    let end = |broadcast: &mut Broadcast| {
        broadcast.passed(Passed { why, took: Duration::ZERO, services: None, result: &result, desired: &desired });
    };
    // Somebody else's is under way, and has read the files already.
    broadcast.begins(why);
    let asking = Arc::clone(&props);
    let asked = tokio::spawn(async move { ask(&asking, "POST", "/v1/reload", "").await });
    while props.woken.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    end(&mut broadcast);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!asked.is_finished(), "that was not the one");
    broadcast.begins(Why::default());
    broadcast.begins(why);
    end(&mut broadcast);
    let answer = asked.await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.json()["done"]), (200, &true.into()));
}

/// The next frame, if it comes soon.
async fn next(body: &mut axum::body::Body) -> Option<String> {
    let frame = timeout(Duration::from_secs(5), body.frame()).await.expect("a frame comes soon")?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_and_what_was_missed_is_told_to_whoever_comes_back() {
    let props = Arc::new(Props::default());
    down(props.broadcast(), "before anybody listened");
    let (status, mut body) = open(&props, "/v1/events", None).await;
    assert_eq!(status, 200);
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n\n");
    down(props.broadcast(), "http: status 500\nand a line more");
    let frame = next(&mut body).await.unwrap();
    let [id, event, data] = frame.trim_end().splitn(3, '\n').collect::<Vec<_>>()[..] else { panic!("{frame}") };
    assert_eq!(event, "event: destination_down");
    let data: serde_json::Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((data["destination"].as_str(), data["name"].as_str()), (Some("10.0.0.11:80"), Some("web")));
    let id: u64 = id.strip_prefix("id: ").unwrap().parse().unwrap();
    assert!(id < 1 << 53, "a browser counts so far");

    down(props.broadcast(), "again");
    let (_, mut later) = open(&props, "/v1/events", Some(id)).await;
    assert_eq!(next(&mut later).await.unwrap(), "retry: 2000\n\n");
    assert!(next(&mut later).await.unwrap().contains("again"), "what was told before {id} is not told twice");

    assert_eq!(get(&Arc::new(Props::default()), "/v1/history").await, serde_json::json!({ "events": [] }));
    let history = get(&props, "/v1/history").await;
    let reasons: Vec<_> = history["events"].as_array().unwrap().iter().map(|event| &event["data"]["reason"]).collect();
    assert_eq!(reasons, ["before anybody listened", "http: status 500\nand a line more", "again"]);
    for _ in 0..KEPT * 2 {
        down(props.broadcast(), &"x".repeat(1 << 20));
    }
    let history = get(&props, "/v1/history").await;
    assert_eq!(history["events"].as_array().unwrap().len(), KEPT);
    assert!(history.to_string().len() < KEPT * (9 << 10), "what is long is cut");
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_too_slowly_is_told_and_dropped() {
    let props = Arc::new(Props::default());
    let (_, mut body) = open(&props, "/v1/events", None).await;
    // The feeder is at its queue.
    tokio::time::sleep(Duration::from_millis(1)).await;
    for number in 0..1000 {
        down(props.broadcast(), &number.to_string());
    }
    let mut frames = Vec::new();
    while let Some(frame) = next(&mut body).await {
        frames.push(frame);
    }
    assert!(frames.last().unwrap().starts_with("event: dropped\n"), "{frames:?}");
    assert!(frames.len() < 300, "{} were kept for it", frames.len());

    // And one that reads nothing at all has its place taken away.
    let (_, body) = open(&props, "/v1/events", None).await;
    for number in 0..20 {
        down(props.broadcast(), &number.to_string());
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut body = body;
    let mut last = String::new();
    while let Some(frame) = next(&mut body).await {
        last = frame;
    }
    assert!(last.starts_with("event: dropped\n"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_places_and_they_come_back() {
    let props = Arc::new(Props::default());
    let mut bodies = Vec::new();
    for _ in 0..MOST_STREAMS {
        let (status, body) = open(&props, "/v1/events", None).await;
        assert_eq!(status, 200);
        bodies.push(body);
    }
    assert_eq!(open(&props, "/v1/events", None).await.0, 503);
    drop(bodies);
    assert_eq!(open(&props, "/v1/events", None).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn samples_come_while_somebody_listens() {
    let props = night();
    let (_, mut body) = open(&props, "/v1/events", None).await;
    assert_eq!(next(&mut body).await.unwrap(), "retry: 2000\n\n");
    let frame = next(&mut body).await.unwrap();
    let data = frame.strip_prefix("event: sample\ndata: ").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let web = &data["services"][0];
    assert_eq!((web["service"].as_str(), web["destinations"][0]["active"].as_u64()), (Some(WEB), Some(7)));
    assert_eq!(web["destinations"][0]["connection_rate"], 7);
    assert!(!frame.contains("fwmark:1000"), "a helper is nobody's business");

    // The same one is not told twice; a quiet stream hears a word now and then.
    let later = timeout(Duration::from_secs(16), body.frame()).await.unwrap().unwrap().unwrap().into_data().unwrap();
    assert_eq!(&later[..], b": still here\n\n");
    {
        let mut sample = props.sample.lock().unwrap();
        Arc::make_mut(&mut *sample).unix_ms += 2000;
    }
    assert!(next(&mut body).await.unwrap().starts_with("event: sample\n"));

    // Nobody sees to it when nobody listens, and somebody does again when somebody does again.
    drop(body);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(props.broadcast().begin_sampling(), "it had ended");
    props.broadcast().end_sampling();
    {
        let mut sample = props.sample.lock().unwrap();
        Arc::make_mut(&mut *sample).unix_ms += 2000;
    }
    let (_, mut body) = open(&props, "/v1/events", None).await;
    next(&mut body).await;
    assert!(next(&mut body).await.unwrap().starts_with("event: sample\n"));
}
