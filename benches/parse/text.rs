//! Configurations as people, or their tools, write them: as large as is asked for, and always the same.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// How a configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table with a header for each destination.
    Toml,
    /// The destinations of a service as a list in brackets.
    TomlInline,
    Yaml,
}

/// What is in it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub services: u32,
    /// Of each service.
    pub destinations: u32,
    /// Whether each service has something that is warned of.
    pub warnings: bool,
    /// So many services have a mistake.
    pub mistakes: u32,
}

impl Shape {
    pub fn new(services: u32, destinations: u32) -> Self {
        Self { services, destinations, warnings: false, mistakes: 0 }
    }
}

/// The whole configuration as one text.
pub fn whole(form: Form, shape: Shape) -> String {
    let mut text = String::new();
    head(&mut text, form);
    services(&mut text, form, shape, 0..shape.services);
    text
}

/// The same as a directory of so many files, of which the first has what there is for all.
pub fn parts(form: Form, shape: Shape, files: u32) -> Vec<String> {
    let each = shape.services.div_ceil(files);
    let part = |file: u32| {
        let mut text = String::new();
        match (file, form) {
            (0, _) => head(&mut text, form),
            (_, Form::Yaml) => text.push_str("version: 1\nservices:\n"),
            (_, Form::Toml | Form::TomlInline) => text.push_str("version = 1\n"),
        }
        services(&mut text, form, shape, file * each..shape.services.min((file + 1) * each));
        text
    };
    (0..files).map(part).collect()
}

fn head(out: &mut String, form: Form) {
    out.push_str(match form {
        Form::Toml | Form::TomlInline => {
            "# Everything that is balanced here.\nversion = 1\n\n[daemon]\nresync = \"30s\"\ndrain = \"5m\"\n\n\
             [defaults]\nscheduler = \"wlc\"\nweight = 100\n\n\
             [checks.web]\nhttp = { path = \"/healthz\", status = \"200-299\" }\ninterval = \"2s\"\ntimeout = \"1s\"\n\n\
             [checks.port]\ntcp = {}\n"
        }
        Form::Yaml => {
            "# Everything that is balanced here.\nversion: 1\ndaemon:\n  resync: 30s\n  drain: 5m\n\
             defaults:\n  scheduler: wlc\n  weight: 100\n\
             checks:\n  web:\n    http: { path: /healthz, status: 200-299 }\n    interval: 2s\n    timeout: 1s\n\
             \x20 port:\n    tcp: {}\nservices:\n"
        }
    });
}

fn services(out: &mut String, form: Form, shape: Shape, range: std::ops::Range<u32>) {
    for index in range {
        let service = Service::new(index, shape);
        match form {
            Form::Toml | Form::TomlInline => service.toml(out, form == Form::TomlInline),
            Form::Yaml => service.yaml(out),
        }
    }
}

/// One service: one scheduler in three, flags, checks and persistence at some.
struct Service {
    index: u32,
    address: String,
    keys: Vec<(&'static str, &'static str)>,
    destinations: Vec<Destination>,
}

struct Destination {
    address: String,
    weight: u32,
    keys: Vec<(&'static str, &'static str)>,
}

impl Service {
    fn new(index: u32, shape: Shape) -> Self {
        let udp = index % 5 == 4;
        let protocol = if udp { "udp" } else { "tcp" };
        let (address, port) = (Ipv4Addr::from(0xC612_0000 + index / 4), [80, 443, 8080, 53][index as usize % 4]);
        let mut keys = Vec::new();
        match index % 3 {
            0 => keys.push(("scheduler", "\"wrr\"")),
            1 => keys.extend([("scheduler", "\"mh\""), ("scheduler_flags", "[\"mh-port\", \"mh-fallback\"]")]),
            _ => {}
        }
        if index.is_multiple_of(7) {
            keys.push(("persistence", "{ timeout = \"5m\" }"));
        }
        match index % 4 {
            0 if !udp => keys.push(("check", "\"web\"")),
            1 => keys.push(("check", "\"port\"")),
            // Without a check, this has no effect, which is warned of.
            _ if shape.warnings => keys.push(("slow_start", "\"30s\"")),
            _ => {}
        }
        if index < shape.mistakes {
            keys.push(("shedular", "\"wrr\""));
        }
        let destination = |number: u32| {
            let address = Ipv4Addr::from(0x0A00_0000 + index * 16 + number);
            let mut keys = Vec::new();
            if number % 5 == 3 {
                keys.push(("max_connections", "1000"));
            }
            if number % 5 == 4 && index.is_multiple_of(2) {
                keys.push(("forward", "\"nat\""));
            }
            Destination { address: format!("{address}:{}", 8000 + port), weight: 50 + (index + number) % 100, keys }
        };
        let destinations = (0..shape.destinations).map(destination).collect();
        Self { index, address: format!("{protocol}://{address}:{port}"), keys, destinations }
    }

    fn toml(&self, out: &mut String, inline: bool) {
        let Self { index, address, keys, destinations } = self;
        push(out, format_args!("\n[[services]]\nname = \"service-{index:05}\"\naddress = \"{address}\"\n"));
        for (key, value) in keys {
            push(out, format_args!("{key} = {value}\n"));
        }
        if inline {
            out.push_str("destinations = [\n");
        }
        for Destination { address, weight, keys } in destinations {
            if inline {
                push(out, format_args!("  {{ address = \"{address}\", weight = {weight}"));
                for (key, value) in keys {
                    push(out, format_args!(", {key} = {value}"));
                }
                out.push_str(" },\n");
            } else {
                push(out, format_args!("\n[[services.destinations]]\naddress = \"{address}\"\nweight = {weight}\n"));
                for (key, value) in keys {
                    push(out, format_args!("{key} = {value}\n"));
                }
            }
        }
        if inline {
            out.push_str("]\n");
        }
    }

    fn yaml(&self, out: &mut String) {
        let Self { index, address, keys, destinations } = self;
        push(out, format_args!("  - name: service-{index:05}\n    address: {address}\n"));
        for (key, value) in keys {
            push(out, format_args!("    {key}: {}\n", value.replace(" = ", ": ").replace('"', "")));
        }
        out.push_str("    destinations:\n");
        for Destination { address, weight, keys } in destinations {
            push(out, format_args!("      - address: {address}\n        weight: {weight}\n"));
            for (key, value) in keys {
                push(out, format_args!("        {key}: {}\n", value.replace('"', "")));
            }
        }
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = out.write_fmt(arguments);
}
