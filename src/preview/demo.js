// Spares the reload: a form is sent in the background, and the regions that the
// answer changed are exchanged. Without this file the page works the same way,
// by POST, redirect and GET.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  let busy = false;
  // The form that is being answered.
  let current = null;
  // A press that came while another was answered.
  let waiting = null;
  // The message and the button that were pressed last: the focus comes back there.
  let pressed = null;

  // `form.action` would be the button of that name, so the attributes are read.
  const target = (form) => form.getAttribute("action");

  async function send(form, submitter) {
    const body = new URLSearchParams(new FormData(form));
    if (submitter?.name) body.set(submitter.name, submitter.value);
    const answer = await fetch(target(form), { method: "POST", body, headers: { Accept: "text/html" } });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!next.getElementById("conversation")) throw new Error(`status ${answer.status}`);
    if (answer.redirected) history.replaceState(null, "", answer.url);
    return next;
  }

  // Equal children stay as they are, so that nothing flickers and an unsent word is not lost.
  function exchange(region, next) {
    const old = new Map([...region.children].filter((child) => child.id).map((child) => [child.id, child]));
    const children = [...next.children].map((child) => {
      // For pages without a script; here `focusOn` does it.
      child.removeAttribute("autofocus");
      const same = old.get(child.id);
      return same?.isEqualNode(child) ? same : document.adoptNode(child);
    });
    region.replaceChildren(...children);
  }

  function show(next) {
    for (const region of document.querySelectorAll("[data-region]")) {
      const changed = next.getElementById(region.id);
      if (changed && !region.isEqualNode(changed)) exchange(region, changed);
    }
    document.title = next.title;
    promote();
    announce(next.getElementById("announcement")?.textContent ?? "");
    return next.getElementById("conversation").dataset.focus;
  }

  function announce(words) {
    const announcement = byId("announcement");
    announcement.textContent = "";
    // In a later frame, or screen readers do not hear the same sentence twice.
    requestAnimationFrame(() => { announcement.textContent = words; });
  }

  function focusOn(element) {
    if (!element) return;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  // A dialog that the server drew open becomes modal: focus stays in it, Escape closes it.
  function promote() {
    const dialog = document.querySelector("#dialog dialog");
    if (!dialog || dialog.matches(":modal")) return;
    dialog.removeAttribute("open");
    dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
    dialog.addEventListener("close", () => {
      dialog.remove();
      focusOn(pressedButton() ?? byId("text"));
    });
  }

  function remember(form, submitter) {
    if (form.closest("dialog")) return;
    const message = form.closest("article");
    pressed = message && submitter?.value ? { message: message.id, action: submitter.value } : null;
    if (pressed) pressed.said = sentences();
  }

  // The row of buttons about what was pressed: an action is a verb and, behind the first bar, its subject.
  function pressedRow() {
    const message = pressed && byId(pressed.message);
    const subject = pressed?.action.slice(pressed.action.indexOf("|"));
    const buttons = [...(message?.querySelectorAll("form.buttons button") ?? [])];
    return buttons.find((button) => button.value.endsWith(subject))?.form;
  }

  // The button that was pressed, else what stands in its place.
  function pressedButton() {
    const row = pressedRow();
    const same = row?.querySelector(`button[value="${CSS.escape(pressed.action)}"]`);
    // Under "More" it is hidden.
    if (same) return same.closest("details")?.querySelector("summary") ?? same;
    return row?.querySelector("button, summary");
  }

  // What the card says above its buttons.
  function sentences() {
    const said = [];
    let above = pressedRow()?.previousElementSibling;
    for (; above?.matches("p"); above = above.previousElementSibling) said.unshift(...above.innerText.split("\n"));
    return said;
  }

  // After a dismissed answer: the message before it, else the conversation.
  function neighbour(message) {
    const before = message?.previousElementSibling;
    return before?.matches("article") ? before : message?.parentElement?.closest("article, #conversation");
  }

  // Older mornings stand above: the newest is what one came for.
  function openAtNewest() {
    const newest = byId("newest");
    if (newest?.previousElementSibling) newest.scrollIntoView({ block: "start" });
  }

  function fail() {
    byId("notice").textContent = "The demo did not answer. If it still runs, reload this page.";
    for (const open of document.querySelectorAll("dialog")) open.close();
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.getAttribute("method") !== "post") return;
    event.preventDefault();
    const submitter = event.submitter;
    if (busy) {
      // The same once more is a slip of the finger; anything else has its turn.
      if (form === current) return;
      waiting = { form, submitter };
      announce("One moment.");
      return;
    }
    busy = true;
    current = form;
    submitter?.setAttribute("aria-busy", "true");
    const dismissed = target(form) === "/demo/dismiss" ? form.closest("article") : null;
    const fallback = dismissed && neighbour(dismissed);
    remember(form, submitter);
    const line = form.classList.contains("line") ? form.querySelector("input[type=text]") : null;
    const typed = line?.value;
    try {
      const changed = show(await send(form, submitter));
      byId("notice").textContent = "";
      // What was typed meanwhile is not lost.
      if (line && line.value === typed) form.reset();
      const stillOpen = document.querySelector("#dialog dialog");
      if (target(form) === "/demo/next-morning") openAtNewest();
      else if (!stillOpen && changed && changed === pressed?.message && pressedRow()) {
        focusOn(pressedButton());
        const news = sentences().filter((sentence) => !pressed.said.includes(sentence));
        if (news.length > 0) announce(news.join(" "));
      } else if (!stillOpen) focusOn((changed && byId(changed)) ?? (fallback?.isConnected ? fallback : null));
    } catch {
      waiting = null;
      fail();
    } finally {
      busy = false;
      current = null;
      submitter?.removeAttribute("aria-busy");
      const next = waiting;
      waiting = null;
      if (!next) return;
      // Behind a dialog, or on a card that reads differently now, it would not be what was meant.
      if (next.form.isConnected && !document.querySelector("#dialog dialog")) {
        next.form.requestSubmit(next.submitter?.isConnected ? next.submitter : undefined);
      } else announce("That has changed meanwhile: press again.");
    }
  });

  document.addEventListener("click", (event) => {
    const closer = event.target.closest("[data-close]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    // A press outside an open menu closes it.
    for (const menu of document.querySelectorAll("details.more[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("details.more[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // A menu without room below opens upwards. `toggle` does not bubble, so it is caught on the way down.
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches?.("details.more") || !menu.open) return;
    menu.classList.remove("up");
    const floor = document.querySelector(".composer").getBoundingClientRect().top;
    menu.classList.toggle("up", menu.querySelector(".menu").getBoundingClientRect().bottom > floor);
  }, true);

  promote();
  if (!byId("conversation").dataset.focus) openAtNewest();
})();
