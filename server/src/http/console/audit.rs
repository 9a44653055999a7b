//! `/console/audit`: the log, searched, entry by entry, and as a file. That nothing in it was altered is proved at the command line, by
//! `countersign audit verify`.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream;
use zeroize::Zeroizing;

use crate::app;
use crate::app::audit::export::Beside;
use crate::app::audit::{Looked, Part, Search};
use crate::app::manage::Needs;
use crate::domain::audit::{Action, Entry, Format, hex};
use crate::domain::figures::Day;
use crate::domain::id::ClientId;
use crate::domain::refusal::Refusal;
use crate::http::console::frame::Frame;
use crate::http::console::{Visit, parameter, render, see_other};
use crate::http::state::State;
use crate::http::{on, read};

const AUDIT: &str = "/console/audit";

/// Entries on one page.
const ROWS: i64 = 50;

/// Entries that an export reads at a time.
const EXPORT_ROWS: i64 = 1000;

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(AUDIT, "GET, HEAD").route(read().to(list)))
        .service(on("/console/audit/export", "GET, HEAD").route(read().to(export)))
        .service(on("/console/audit/{seq}", "GET, HEAD").route(read().to(show)));
}

/// What was asked for, as typed.
#[derive(Clone, Default)]
struct Typed {
    action: String,
    who: String,
    part: String,
    outcome: String,
    from: String,
    until: String,
}

impl Typed {
    fn of(request: &HttpRequest) -> Self {
        let text = |name| parameter(request, name).unwrap_or_default().trim().to_owned();
        Self {
            action: text("action"),
            who: text("who"),
            part: text("part"),
            outcome: text("outcome"),
            from: text("from"),
            until: text("until"),
        }
    }

    /// The field that cannot be read, or what it all means.
    fn parsed(&self) -> Result<Search, &'static str> {
        let day = |field, text: &str| match text {
            "" => Ok(None),
            text => Day::parse(text).map(Some).ok_or(field),
        };
        Ok(Search {
            action: match self.action.as_str() {
                "" => None,
                word => Some(word.parse::<Action>().map_err(|_| "action")?),
            },
            who: self.who.clone(),
            part: match self.part.as_str() {
                "" => Part::Either,
                "actor" => Part::Actor,
                "subject" => Part::Subject,
                _ => return Err("part"),
            },
            refused: match self.outcome.as_str() {
                "" => None,
                "done" => Some(false),
                "refused" => Some(true),
                _ => return Err("outcome"),
            },
            from: day("from", &self.from)?,
            until: day("until", &self.until)?,
        })
    }

    /// The same as the query of an address, without what is empty.
    fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("action", self.action.as_str()),
            ("who", &self.who),
            ("part", &self.part),
            ("outcome", &self.outcome),
            ("from", &self.from),
            ("until", &self.until),
        ];
        for (name, value) in fields.iter().chain(more).filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

/// The log, or what was searched for in it.
#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    typed: Typed,
    /// All actions, by what they are called: the word, and how it is said.
    actions: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    /// What was wrong with the search.
    error: Option<String>,
    /// The number down to which was looked, where this page ends because that was enough.
    stopped_at: Option<String>,
    /// Queries: of the first page where this is another, of the next one, and of the exports.
    first: Option<String>,
    next: Option<String>,
    csv: String,
    jsonl: String,
}

/// One entry.
#[derive(Template)]
#[template(path = "audit_entry.html")]
struct EntryPage {
    frame: Frame,
    seq: String,
    row: Row,
    hash: String,
    /// Those that stand beside it, the younger first.
    near: Vec<Row>,
}

/// An entry, said.
struct Row {
    entry: Entry,
    /// What was done.
    what: String,
    actor: Party,
    subject: Option<Party>,
    /// Why it was refused; none where it was done.
    refused: Option<String>,
}

/// Who did it, or to whom it was done.
pub(super) struct Party {
    /// As the log has it.
    stored: String,
    /// The name where there still is one, else what it is.
    pub(super) said: String,
    /// The beginning of its id, where there is no name.
    pub(super) short: Option<String>,
    /// A search for it.
    pub(super) query: String,
}

impl Party {
    pub(super) fn of(frame: &Frame, names: &BTreeMap<String, String>, stored: &str) -> Self {
        let (kind, id) = stored.split_once(':').map_or((stored, None), |(kind, id)| (kind, Some(id)));
        let console = format!("client:{}", ClientId::CONSOLE);
        let name =
            names.get(stored).cloned().or_else(|| (stored == console).then(|| frame.t("party-console")));
        Self {
            stored: stored.to_owned(),
            short: id.filter(|_| name.is_none()).map(|id| id.chars().take(13).collect()),
            said: name.unwrap_or_else(|| frame.word("party", kind.replace('_', "-"))),
            query: Typed { who: stored.to_owned(), ..Typed::default() }.query(&[]),
        }
    }
}

impl Row {
    fn of(frame: &Frame, names: &BTreeMap<String, String>, entry: Entry) -> Self {
        Self {
            what: frame.action(&entry.action),
            actor: Party::of(frame, names, &entry.actor),
            subject: entry.subject.as_deref().map(|subject| Party::of(frame, names, subject)),
            refused: entry.refused().map(str::to_owned),
            entry,
        }
    }
}

/// `GET /console/audit`.
async fn list(visit: Visit) -> HttpResponse {
    let typed = Typed::of(&visit.request);
    let parsed = typed.parsed();
    let search = parsed.clone().ok();
    let cursor: Option<i64> = parameter(&visit.request, "before").and_then(|text| text.parse().ok());
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("audit:read"),
            move |_, conn, _, _| {
                let Some(search) = search else { return Ok(None) };
                let Some(selection) = app::audit::select(conn, &search)? else { return Ok(None) };
                let before = cursor.unwrap_or(i64::MAX);
                let looked = app::audit::page_of(conn, &selection, before, ROWS + 1)?;
                let names = app::audit::names(conn, &looked.entries)?;
                Ok(Some((looked, names)))
            },
        )
        .await;
    let (visitor, found) = match found {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let frame = visit.frame(&visitor, "audit");
    let (status, error) = match (&parsed, &found) {
        (Err(field), _) => (StatusCode::BAD_REQUEST, Some(frame.word("error-audit", field))),
        (Ok(_), None) => (StatusCode::OK, Some(frame.t("error-audit-who"))),
        _ => (StatusCode::OK, None),
    };
    let (mut entries, looked_back_to, names) = match found {
        Some((looked, names)) => (looked.entries, looked.next, names),
        None => Default::default(),
    };
    let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let has_more = entries.len() > rows;
    entries.truncate(rows);
    let stopped_at = looked_back_to.filter(|_| !has_more).map(|seq| seq.to_string());
    let last = entries.last().filter(|_| has_more).map(|entry| entry.seq.to_string()).or(stopped_at.clone());
    let mut actions: Vec<_> =
        Action::ALL.iter().map(|action| (action.as_str(), frame.action(action.as_str()))).collect();
    actions.sort_by(|(_, one), (_, other)| one.cmp(other));
    let page = AuditPage {
        rows: entries.into_iter().map(|entry| Row::of(&frame, &names, entry)).collect(),
        actions,
        error,
        stopped_at,
        first: cursor.map(|_| typed.query(&[])),
        next: last.map(|seq| typed.query(&[("before", &seq)])),
        csv: typed.query(&[("format", "csv")]),
        jsonl: typed.query(&[("format", "jsonl")]),
        typed,
        frame,
    };
    render(status, &page)
}

/// `GET /console/audit/{seq}`.
async fn show(visit: Visit, path: web::Path<String>) -> HttpResponse {
    let Ok(seq) = path.parse::<i64>() else {
        return visit.refuse(Refusal::NotFound { what: "entry" }).await;
    };
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("audit:read"),
            move |_, conn, _, _| {
                let (entry, neighbours) = app::audit::show(conn, seq)?;
                let names = app::audit::names(conn, neighbours.iter().flatten().chain([&entry]))?;
                Ok((entry, neighbours, names))
            },
        )
        .await;
    visit.page(found, "audit", |frame, _, (entry, [before, after], names)| EntryPage {
        seq: entry.seq.to_string(),
        hash: hex(&entry.hash),
        row: Row::of(&frame, &names, entry),
        near: [after, before].into_iter().flatten().map(|entry| Row::of(&frame, &names, entry)).collect(),
        frame,
    })
}

/// An export on its way: one page of entries at a time is read, written and sent before the next one.
struct Export {
    state: Arc<State>,
    request: HttpRequest,
    token: Zeroizing<String>,
    selection: app::audit::Selection,
    format: Format,
    /// What was written before the first page.
    heading: Vec<u8>,
    /// The next page, already read.
    page: Option<(Looked, BTreeMap<String, String>)>,
    before: i64,
    is_over: bool,
}

impl Export {
    /// The next piece of the file, and what is left. Who lost the role meanwhile gets no more.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, std::io::Error> {
        if self.is_over {
            return Ok(None);
        }
        let mut piece = std::mem::take(&mut self.heading);
        loop {
            let (looked, names) = if let Some(page) = self.page.take() {
                page
            } else {
                let (selection, before) = (self.selection.clone(), self.before);
                let (needs, token) = (Needs::scope("audit:read"), self.token.clone());
                let read = self
                    .state
                    .run_as_managing_visitor(&self.request, token, needs, move |_, conn, _, _| {
                        let looked = app::audit::page_of(conn, &selection, before, EXPORT_ROWS)?;
                        let names = app::audit::names(conn, &looked.entries)?;
                        Ok((looked, names))
                    })
                    .await;
                // The answer has begun: that it breaks off is all that can be said.
                read.map_err(|_| std::io::Error::other("the export was stopped"))?.1
            };
            let lines = self.format.lines(&looked.entries, Beside::Names(&names));
            piece.extend(lines.map_err(std::io::Error::other)?);
            match looked.next {
                Some(next) => self.before = next,
                None => self.is_over = true,
            }
            // A look may find nothing, and an empty piece would be taken for the end.
            if !piece.is_empty() {
                return Ok(Some((Bytes::from(piece), self)));
            }
            if self.is_over {
                return Ok(None);
            }
        }
    }
}

/// `GET /console/audit/export`: everything that the search selects, the youngest first.
async fn export(visit: Visit) -> HttpResponse {
    let (format, kind, file) = match parameter(&visit.request, "format").as_deref() {
        Some("jsonl") => (Format::JsonLines, "application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
        _ => (Format::Csv, "text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
    };
    // What the page would refuse, the page says.
    let back = format!("{AUDIT}?{}", Typed::of(&visit.request).query(&[]));
    let Ok(search) = Typed::of(&visit.request).parsed() else {
        return see_other(&back);
    };
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("audit:read"),
            move |_, conn, _, _| {
                let Some(selection) = app::audit::select(conn, &search)? else { return Ok(None) };
                let looked = app::audit::page_of(conn, &selection, i64::MAX, EXPORT_ROWS)?;
                let names = app::audit::names(conn, &looked.entries)?;
                Ok(Some((selection, looked, names)))
            },
        )
        .await;
    let (selection, looked, names) = match found {
        Ok((_, Some(found))) => found,
        Ok((_, None)) => return see_other(&back),
        Err(stop) => return visit.stopped(&stop),
    };
    let export = Export {
        token: visit.token(),
        state: Arc::clone(&visit.state),
        request: visit.request.clone(),
        selection,
        format,
        heading: format.heading(Beside::Names(&names)),
        page: Some((looked, names)),
        before: 0,
        is_over: false,
    };
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CONTENT_DISPOSITION, HeaderValue::from_static(file)))
        .streaming(stream::try_unfold(export, Export::next))
}
