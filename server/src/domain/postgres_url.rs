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
        if !matches!(scheme, "postgres" | "postgresql") || rest.contains(strange) || !is_encoded(rest) {
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
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !parameters.iter().all(|(name, _)| is_name(name)) {
            return None;
        }
        Some(Self { scheme, user, password, hosts, name, parameters })
    }

    /// Whether it has a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|(known, _)| *known == name)
    }

    /// What a parameter says; where it stands twice, libpq takes the last.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().rfind(|(known, _)| *known == name).map(|(_, value)| decoded(value))
    }

    /// Where libpq goes by this URL and its variables, which count where the URL says nothing (PostgreSQL documentation, 34.15).
    pub fn destination(&self, variable: impl Fn(&str) -> Option<String>) -> Destination {
        let parameter = |name| self.parameters.iter().rfind(|(known, _)| *known == name);
        let said = |name, variable_name| match parameter(name) {
            Some((_, value)) => Some(decoded(value)),
            None => variable(variable_name),
        };
        let by_authority = || {
            let hosts: Vec<_> = self.hosts.iter().map(|host| without_port(host)).collect();
            decoded(&hosts.join(","))
        };
        // Where libpq finds both, the parameter counts.
        let names = match parameter("host") {
            None if self.hosts.iter().any(|host| !without_port(host).is_empty()) || self.hosts.len() > 1 => {
                Some(by_authority())
            }
            _ => said("host", "PGHOST"),
        };
        let list = |text: Option<String>| -> Vec<String> {
            let text = text.filter(|text| !text.is_empty());
            text.map_or_else(Vec::new, |text| text.split(',').map(str::to_owned).collect())
        };
        Destination {
            names: list(names),
            addresses: list(said("hostaddr", "PGHOSTADDR")),
            is_by_service: said("service", "PGSERVICE").is_some_and(|name| !name.is_empty()),
        }
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

/// Where connections lead, as far as it is known without asking anybody.
#[derive(Debug)]
pub struct Destination {
    /// A host's name, its address, or the folder of a socket; an empty one is libpq's default, a socket of this machine. None: likewise.
    names: Vec<String>,
    /// Where to go instead of asking for the names' addresses.
    addresses: Vec<String>,
    /// A file that is not read here may say anything of it.
    is_by_service: bool,
}

impl Destination {
    /// Whether a service file has a word in it.
    pub const fn is_by_service(&self) -> bool {
        self.is_by_service
    }

    /// Whether some host is another machine, as far as its name and its address say. One that goes by another machine's name counts as that,
    /// whatever its address.
    pub fn leaves_the_machine(&self) -> bool {
        let is_loopback = |host: &str| {
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
            address.is_ok_and(|address| address.is_loopback())
        };
        let is_here = |name: &String| {
            name.is_empty() || name.starts_with('/') || name == "localhost" || is_loopback(name)
        };
        let is_address_here = |address: &String| address.is_empty() || is_loopback(address);
        self.is_by_service || !self.names.iter().all(is_here) || !self.addresses.iter().all(is_address_here)
    }

    /// How many hosts there are, of which one takes changes; two where a service may name several.
    pub fn hosts(&self) -> usize {
        let fewest = if self.is_by_service { 2 } else { 1 };
        self.names.len().max(self.addresses.len()).max(fewest)
    }

    /// Whether there may be several hosts.
    pub fn has_several_hosts(&self) -> bool {
        self.hosts() > 1
    }
}

/// Whether each `%` begins a byte in hexadecimal, and none is zero. libpq refuses others, and quotes them.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
    })
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
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
            "postgres://ada:pa%ss@db.example/cs",
            "postgres://ada:pass%@db.example/cs",
            "postgres://ada:pass%4@db.example/cs",
            "postgres://ada:pa%00ss@db.example/cs",
            "postgres://db.example/cs?password=100%",
            "postgres://db.example/cs?ho%73t=db.example",
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

    fn destination(text: &str, variables: &[(&str, &str)]) -> Destination {
        let known = |name: &str| variables.iter().find(|(known, _)| *known == name);
        PostgresUrl::parse(text)
            .unwrap()
            .destination(|name| known(name).map(|(_, value)| (*value).to_owned()))
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
            ("postgres://localhost%2Cdb.example/cs", true),
            ("postgres://localhost.example/cs", true),
            // The name is another machine's, or the address is.
            ("postgres://db.example/cs?hostaddr=127.0.0.1", true),
            ("postgres://localhost/cs?hostaddr=10.0.0.7", true),
            ("postgres://localhost/cs?hostaddr=127.0.0.1,10.0.0.7", true),
            ("postgres://localhost/cs?hostaddr=::1", false),
            ("postgres:///cs?hostaddr=127.0.0.1", false),
            // Who knows what it says.
            ("postgres://localhost/cs?service=main", true),
            // As for libpq, the last one counts.
            ("postgres:///cs?host=db.example&host=localhost", false),
            ("postgres:///cs?host=localhost&host=db.example", true),
        ] {
            assert_eq!(destination(text, &[]).leaves_the_machine(), leaves, "{text}");
        }
    }

    #[test]
    fn the_variables_of_libpq_count_where_the_url_says_nothing() {
        for (text, variable, leaves, several) in [
            ("postgres:///cs", ("PGHOST", "db.example"), true, false),
            ("postgres:///cs", ("PGHOST", "/run/postgresql"), false, false),
            ("postgres:///cs", ("PGHOST", "localhost,127.0.0.2"), false, true),
            ("postgres:///cs", ("PGHOST", "a,b"), true, true),
            ("postgres://:5433/cs", ("PGHOST", "db.example"), true, false),
            ("postgres://localhost/cs", ("PGHOST", "db.example"), false, false),
            ("postgres:///cs?host=localhost", ("PGHOST", "db.example"), false, false),
            ("postgres:///cs?host=", ("PGHOST", "db.example"), false, false),
            ("postgres:///cs", ("PGHOST", ""), false, false),
            ("postgres://localhost/cs", ("PGHOSTADDR", "10.0.0.7"), true, false),
            ("postgres://localhost/cs", ("PGHOSTADDR", "127.0.0.1"), false, false),
            ("postgres:///cs", ("PGHOSTADDR", "127.0.0.1,::1"), false, true),
            ("postgres://localhost/cs?hostaddr=127.0.0.1", ("PGHOSTADDR", "10.0.0.7"), false, false),
            ("postgres://localhost/cs", ("PGSERVICE", "main"), true, true),
            ("postgres://localhost/cs", ("PGSERVICE", ""), false, false),
        ] {
            let destination = destination(text, &[variable]);
            let found = (destination.leaves_the_machine(), destination.has_several_hosts());
            assert_eq!(found, (leaves, several), "{text} {variable:?}");
        }
        assert!(destination("postgres://a,b/cs", &[]).has_several_hosts());
        assert!(destination("postgres://a%2Cb/cs", &[]).has_several_hosts());
        assert!(!destination("postgres://a/cs", &[]).has_several_hosts());
    }
}
