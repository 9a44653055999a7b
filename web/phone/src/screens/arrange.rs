//! The order of the accounts: dragged by a finger, or moved by keys and buttons.

use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::prelude::*;
use mobile_core::vault::{Entry, EntryId};
use wasm_bindgen::JsCast as _;

use super::{DOWN, GRIP, UP, icon, page, title_of};
use crate::app::App;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let order =
        RwSignal::new(app.peek(|content| content.entries().iter().map(Entry::id).collect::<Vec<_>>()));
    let dragged = RwSignal::new(None::<EntryId>);
    let said = RwSignal::new(String::new());
    let place_of =
        move |id: EntryId| order.with_untracked(|order| order.iter().position(|known| *known == id));
    // Where it stands now is where it is put.
    let put = move |id: EntryId| {
        let Some(place) = place_of(id) else { return };
        said.set(words.moved.replace("{place}", &(place + 1).to_string()));
        app.spawn(async move { app.change(|content| content.move_to(id, place)).await });
    };
    let shift = move |id: EntryId, to: usize| {
        let Some(from) = place_of(id) else { return };
        order.update(|order| {
            let id = order.remove(from);
            order.insert(to.min(order.len()), id);
        });
    };
    let step = move |id: EntryId, down: bool| {
        let Some(from) = place_of(id) else { return };
        shift(id, if down { from + 1 } else { from.saturating_sub(1) });
        put(id);
    };
    let item = move |id: EntryId| {
        let name = app.peek(|content| content.entry(id).map(title_of)).unwrap_or_default();
        let named = |text: &str| text.replace("{name}", &name);
        let (up, down, grip) = (named(words.move_up), named(words.move_down), named(words.move_drag));
        let key = move |event: KeyboardEvent| match event.key().as_str() {
            "ArrowUp" => {
                event.prevent_default();
                step(id, false);
            }
            "ArrowDown" => {
                event.prevent_default();
                step(id, true);
            }
            _ => {}
        };
        let begin = move |event: PointerEvent| {
            event.prevent_default();
            if let Some(grip) =
                event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            {
                let _ = grip.set_pointer_capture(event.pointer_id());
            }
            dragged.set(Some(id));
        };
        let drag = move |event: PointerEvent| {
            if dragged.get_untracked() != Some(id) {
                return;
            }
            if let Some(to) = place_under(&event)
                && place_of(id) != Some(to)
            {
                shift(id, to);
            }
        };
        let end = move |_: PointerEvent| {
            if dragged.get_untracked() == Some(id) {
                dragged.set(None);
                put(id);
            }
        };
        view! {
            <li class="arrange" class:dragged=move || dragged.get() == Some(id)>
                <button
                    class="icon-button grip"
                    aria-label=grip
                    on:keydown=key
                    on:pointerdown=begin
                    on:pointermove=drag
                    on:pointerup=end
                    on:pointercancel=end
                >
                    {icon(GRIP)}
                </button>
                <span class="title" dir="auto">{name.clone()}</span>
                <button class="icon-button" aria-label=up on:click=move |_| step(id, false)>{icon(UP)}</button>
                <button class="icon-button" aria-label=down on:click=move |_| step(id, true)>{icon(DOWN)}</button>
            </li>
        }
    };
    view! {
        {page(app, words.arrange, view! {
            <p>{words.arrange_text}</p>
            <ul class="arrangement">
                <For each=move || order.get() key=|id| *id children=item />
            </ul>
            <p class="unseen" role="status">{said}</p>
        })}
    }
    .into_any()
}

/// The place in the list that the finger is over.
fn place_under(event: &PointerEvent) -> Option<usize> {
    #[expect(clippy::cast_precision_loss, reason = "a coordinate on a screen")]
    let (x, y) = (event.client_x() as f32, event.client_y() as f32);
    let over = web_sys::window()?.document()?.element_from_point(x, y)?;
    let item = over.closest(".arrange").ok().flatten()?;
    let items = item.parent_element()?.children();
    (0..items.length())
        .find(|index| items.item(*index).as_ref() == Some(&item))
        .and_then(|index| usize::try_from(index).ok())
}
