//! Many entries, and what is there already or not at all.

use super::*;

pub(crate) fn an_empty_table(on: &mut Subject<'_>) {
    assert_eq!(on.read(), Live::default());
    assert!(on.ipvs.read_services(&[]).unwrap().is_empty());
    assert!(on.ipvs.read_services(&[key(WEB)]).unwrap().is_empty());
    assert!(on.execute(&[]).is_empty());
    let info = on.ipvs.info().unwrap();
    assert_eq!((info.version.0, info.version.1), (1, 2));
    assert_eq!(info.table_size == 0, on.has_its_own_table, "{info:?}");
    assert!(info.table_size == 0 || info.table_size.is_power_of_two(), "{info:?}");
    on.accepts(add(WEB, &scheduled("rr")));
    let info = on.ipvs.info().unwrap();
    assert!(info.table_size.is_power_of_two(), "{info:?}");
}

pub(crate) fn what_exists_is_not_added_again(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.refuses(add(WEB, &scheduled("wrr")), Errno::EXIST);
    // Existence is looked at before the scheduler.
    on.refuses(add(WEB, &scheduled("nosuch")), Errno::EXIST);
    assert_eq!(on.settings(WEB), scheduled("rr"));
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.refuses(add_destination(WEB, ONE, weighing(2)), Errno::EXIST);
    assert_eq!(on.destination(WEB, ONE), weighing(1));
}

pub(crate) fn what_is_missing_is_neither_edited_nor_deleted(on: &mut Subject<'_>) {
    on.refuses(edit(WEB, &scheduled("rr")), Errno::SRCH);
    on.refuses(edit(WEB, &scheduled("nosuch")), Errno::SRCH);
    on.refuses(delete(WEB), Errno::SRCH);
    on.refuses(add_destination(WEB, ONE, weighing(1)), Errno::SRCH);
    on.refuses(edit_destination(WEB, ONE, weighing(1)), Errno::SRCH);
    on.refuses(delete_destination(WEB, ONE), Errno::SRCH);
    on.accepts(add(WEB, &scheduled("rr")));
    on.refuses(edit_destination(WEB, ONE, weighing(1)), Errno::NOENT);
    on.refuses(delete_destination(WEB, ONE), Errno::NOENT);
    on.refuses(edit_destination(WEB, ONE, weighing(u32::MAX)), Errno::RANGE);
}

pub(crate) fn a_refusal_stops_nothing_behind_it(on: &mut Subject<'_>) {
    let results = on.execute(&[
        add(WEB, &scheduled("rr")),
        add_destination(WEB6, ONE6, weighing(1)),
        add_destination(WEB, ONE, weighing(1)),
        add_destination(WEB, "224.0.0.1:80", weighing(1)),
        delete("fwmark:1"),
        add("fwmark:2", &scheduled("wrr")),
        add(WEB, &scheduled("rr")),
    ]);
    let found: Vec<_> = results.iter().map(|result| result.as_ref().map_err(|refusal| refusal.errno).err()).collect();
    let (search, invalid, exists) = (Some(Errno::SRCH), Some(Errno::INVAL), Some(Errno::EXIST));
    assert_eq!(found, [None, search, None, invalid, search, None, exists]);
    let live = on.read();
    assert_eq!(live.services.len(), 2);
    assert_eq!(live.services[&key(WEB)].destinations.len(), 1);
}

pub(crate) fn every_error_of_many_finds_its_operation(on: &mut Subject<'_>) {
    let operations: Vec<Operation> = (0..1500u32)
        .map(
            |number| {
                if number % 3 == 0 { add(&format!("fwmark:{}", number + 1), &scheduled("rr")) } else { delete(WEB) }
            },
        )
        .collect();
    let results = on.execute(&operations);
    assert_eq!(results.len(), operations.len());
    for (number, result) in results.iter().enumerate() {
        match result {
            Ok(()) => assert_eq!(number % 3, 0),
            Err(refusal) => assert_eq!((number % 3 != 0, refusal.errno), (true, Errno::SRCH)),
        }
    }
    assert_eq!(on.read_whole().services.len(), 500);
}

pub(crate) fn a_large_table_is_read_whole(on: &mut Subject<'_>) {
    let mut want: BTreeMap<ServiceKey, ServiceSettings> = BTreeMap::new();
    let mut operations = Vec::new();
    for number in 0..2000u32 {
        let service = match number % 3 {
            0 => format!("tcp://10.1.{}.{}:80", number / 200, number % 200 + 1),
            1 => format!("udp://[2001:db8:1::{number:x}]:53"),
            _ => format!("fwmark:{number}"),
        };
        let settings = ServiceSettings { flags: ServiceFlags(number << 3), ..scheduled("wrr") };
        operations.push(add(&service, &settings));
        want.insert(key(&service), settings);
    }
    assert!(on.execute(&operations).iter().all(Result::is_ok));
    let live = on.read_whole();
    let found: BTreeMap<_, _> = live.services.iter().map(|(key, live)| (*key, live.settings.clone())).collect();
    assert_eq!(found, want);
    let keys: Vec<ServiceKey> = want.keys().copied().collect();
    assert_eq!(on.ipvs.read_services(&keys).unwrap(), live.services);
}

pub(crate) fn a_large_service_is_read_whole(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("wlc")));
    let destinations: BTreeMap<DestinationKey, DestinationSettings> = (0..1000u32)
        .map(|number| {
            let there = target(&format!("10.2.{}.{}:{}", number / 250, number % 250 + 1, number + 1));
            (there, weighing(number))
        })
        .collect();
    let operations: Vec<Operation> = destinations
        .iter()
        .map(|(there, settings)| Operation::AddDestination {
            service: key(WEB),
            destination: *there,
            settings: *settings,
        })
        .collect();
    assert!(on.execute(&operations).iter().all(Result::is_ok));
    let dumped = on.read().to_table();
    assert_eq!(dumped.services[&key(WEB)].destinations, destinations);
    let single = on.ipvs.read_services(&[key(WEB)]).unwrap();
    assert_eq!(single[&key(WEB)].to_service().destinations, destinations);
}
