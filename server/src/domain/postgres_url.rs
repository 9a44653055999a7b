//! A PostgreSQL connection URL as libpq reads it (PostgreSQL documentation, 34.1.1.2): one host or several, a socket's folder, parameters.
//! [`url::Url`] knows one host only.

/// Parts of a URL, as written. It may hold a password and has no `Debug`.
pub struct PostgresUrl<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    /// Each with its port, if it has one.
    hosts: Vec<&'a str>,
    name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> PostgresUrl<'a> {
    /// Reads `postgres://[USER[:PASSWORD]@][HOST[:PORT][,...]][/NAME][?PARAMETERS]`; `None` where some reader could take a part for another:
    /// a password with `@` or `/` in it would be sent to the wrong host, or shown to somebody.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let strange =
            |character: char| character.is_whitespace() || character.is_control() || character == '#';
        if !matches!(scheme, "postgres" | "postgresql") || rest.contains(strange) {
            return None;
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        if name.contains(['/', '@']) || authority.matches('@').count() > 1 {
            return None;
        }
        let (credentials, hosts) = authority
            .split_once('@')
            .map_or((None, authority), |(credentials, hosts)| (Some(credentials), hosts));
        let (user, password) = match credentials
            .map(|both| both.split_once(':').map_or((both, None), |(user, password)| (user, Some(password))))
        {
            Some((user, password)) => (Some(user), password),
            None => (None, None),
        };
        let hosts: Vec<&str> = if hosts.is_empty() { Vec::new() } else { hosts.split(',').collect() };
        if !hosts.iter().all(|host| is_host(host)) {
            return None;
        }
        let parameters = query.split('&').filter(|pair| !pair.is_empty());
        let parameters = parameters.map(|pair| pair.split_once('=')).collect::<Option<Vec<_>>>()?;
        Some(Self { scheme, user, password, hosts, name, parameters })
    }

    /// Whether it has a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|(known, _)| *known == name)
    }

    /// Every host that it leads to, without ports; a socket's folder begins with `/`. None: libpq's default, a socket of this machine.
    pub fn hosts(&self) -> Vec<String> {
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let by_parameter = self.parameters.iter().filter(|(name, _)| *name == "host");
        let mut hosts: Vec<String> = by_parameter
            .flat_map(|(_, value)| decoded(value).split(',').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        // Where libpq finds both, the parameter counts.
        if hosts.is_empty() {
            hosts = self.hosts.iter().map(|host| decoded(without_port(host))).collect();
        }
        hosts.retain(|host| !host.is_empty());
        hosts
    }

    /// Whether some host is another machine, as far as its name says.
    pub fn leaves_the_machine(&self) -> bool {
        self.hosts().iter().any(|host| {
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
            !(host.starts_with('/')
                || host == "localhost"
                || address.is_ok_and(|address| address.is_loopback()))
        })
    }

    /// For people: without the password and the parameters.
    pub fn shown(&self) -> String {
        let user = self.user.map_or_else(String::new, |user| {
            if self.password.is_some() { format!("{user}:…@") } else { format!("{user}@") }
        });
        let name = if self.name.is_empty() { String::new() } else { format!("/{}", self.name) };
        format!("{}://{user}{}{name}", self.scheme, self.hosts.join(","))
    }
}

fn is_host(host: &str) -> bool {
    let name = without_port(host);
    let port = host[name.len()..].strip_prefix(':');
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    good_port && !name.contains(':') || (name.starts_with('[') && name.ends_with(']') && good_port)
}

/// The host without `:PORT`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.find(']') {
        Some(end) => &host[..=end],
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        PostgresUrl::parse(text).map(|url| url.shown())
    }

    #[test]
    fn passwords_and_parameters_are_not_shown() {
        for (text, expected) in [
            ("postgres://db.example/cs", "postgres://db.example/cs"),
            (
                "postgresql://ada:pass%40word@db.example:5433/cs?sslmode=require",
                "postgresql://ada:…@db.example:5433/cs",
            ),
            (
                "postgres://ada@a.example:1,b.example,[::1]:5432/cs?password=hush",
                "postgres://ada@a.example:1,b.example,[::1]:5432/cs",
            ),
            ("postgres:///cs?host=/run/postgresql&user=ada", "postgres:///cs"),
            ("postgres://%2Frun%2Fpostgresql/cs", "postgres://%2Frun%2Fpostgresql/cs"),
            ("postgres://", "postgres://"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "postgres://ada:p@ss@db.example/cs",
            "postgres://ada:pa/ss@db.example/cs",
            "postgres://ada:pa?ss@db.example/cs",
            "postgres://ada:pa#ss@db.example/cs",
            "postgres://ada:pa ss@db.example/cs",
            "postgres://db.example:0/cs",
            "postgres://db.example:port/cs",
            "postgres://::1/cs",
            "postgres://db.example/a/b",
            "postgres://db.example/cs?sslmode",
            "mysql://db.example/cs",
            "postgres:db.example",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_known_who_is_another_machine() {
        for (text, leaves) in [
            ("postgres:///cs", false),
            ("postgres:///cs?host=/run/postgresql", false),
            ("postgres://%2Frun%2Fpostgresql/cs", false),
            ("postgres://localhost:5433,127.0.0.1,[::1]:1/cs", false),
            ("postgres://localhost,db.example/cs", true),
            ("postgres://10.0.0.7/cs", true),
            ("postgres://[2001:db8::1]:5432/cs", true),
            ("postgres://localhost/cs?host=db.example", true),
            ("postgres:///cs?host=localhost,db%2Eexample", true),
            ("postgres://localhost.example/cs", true),
        ] {
            let url = PostgresUrl::parse(text).unwrap();
            assert_eq!(url.leaves_the_machine(), leaves, "{text}");
        }
    }
}
