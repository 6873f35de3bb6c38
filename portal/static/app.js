// What pages gain from a script. Everything works without it.
(() => {
  'use strict';

  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const on = (event, handler, capture = false) => document.addEventListener(event, handler, capture);

  // Said to screen readers. A live region speaks when its text changes, so it is emptied first.
  function announce(text) {
    const region = one('#announce');
    if (!region || !text) return;
    region.textContent = '';
    setTimeout(() => { region.textContent = text; }, 100);
  }

  function focus(element) {
    if (!element.matches('a[href], button, input, select, textarea, summary, [tabindex]')) element.tabIndex = -1;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: 'nearest' });
  }

  // Fields whose value only the browser knows; what is out of sight.
  function prepare(root) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const input of all('input[data-timezone]', root)) input.value = zone || input.value;
    // Where tabs run off a narrow screen, the current one is in its middle.
    for (const tab of all('.tabs [aria-current]', root)) {
      const list = tab.closest('ul');
      list.scrollLeft += tab.getBoundingClientRect().left - list.getBoundingClientRect().left - (list.clientWidth - tab.clientWidth) / 2;
    }
  }

  // --- After a swap: the focus goes where the eye goes, the result is said aloud.

  on('htmx:after:settle', ({ target, detail: { task } }) => {
    if (task.type !== 'main' || !(target instanceof Element)) return;
    prepare(target);
    const box = target.closest('dialog');
    if (box) toggleDialog(box);
    // htmx restores the focus by id and honours autofocus first.
    setTimeout(() => settle(target));
  });

  function settle(target) {
    if (!target.isConnected) return;
    if (target === document.body) return arrive();
    const errors = target.matches('.errors') ? target : one('.errors', target);
    // What refreshes itself while somebody reads ([data-quiet]) takes no focus.
    const lost = !document.activeElement || document.activeElement === document.body;
    if (errors) focus(errors);
    else if (lost && !one('dialog[open]') && !target.matches('[data-quiet]')) focus(target.matches('[data-focus]') ? target : one('[data-focus]', target) || target);
    announce(one('[data-announce]', target)?.textContent.trim());
  }

  // A whole new page came by htmx: begin at its top, as a browser would.
  function arrive() {
    const errors = one('.errors');
    if (!restoring) scrollTo(0, 0);
    restoring = false;
    if (errors) focus(errors);
    else one('#main')?.focus({ preventScroll: true });
    announce(all('#flash .notice-text').map((message) => message.textContent.trim()).join(' '));
  }

  let restoring = false;
  on('htmx:before:history:restore', () => { restoring = true; });

  // --- Searches: addresses without empty filters. Drafts: in the order in which they were typed.

  on('htmx:config:request', ({ detail: { ctx } }) => {
    const { body } = ctx.request;
    if (body?.has?.('order')) body.set('order', Date.now()); // which of two saves is the later one
    if (!ctx.sourceElement.matches('form.search')) return;
    for (const [name, value] of [...ctx.request.body]) if (value === '') ctx.request.body.delete(name);
    const action = new URL(ctx.request.action, location.href);
    ctx.request.action = action.pathname;
  });

  // --- Waiting, and not getting through.

  const waiting = new Map();
  on('htmx:before:request', ({ detail: { ctx } }) => {
    waiting.set(ctx, setTimeout(() => { document.documentElement.dataset.busy = ''; }, 300));
  });
  on('htmx:finally:request', ({ detail: { ctx } }) => {
    clearTimeout(waiting.get(ctx));
    waiting.delete(ctx);
    if (!waiting.size) delete document.documentElement.dataset.busy;
  });

  on('htmx:error', ({ detail: { ctx } }) => {
    const flash = one('#flash');
    if (!ctx || ctx.response || !flash) return;
    const notice = document.createElement('div');
    const text = document.createElement('p');
    notice.className = 'notice bad';
    text.className = 'notice-text';
    text.textContent = document.body.dataset.offlineMessage;
    notice.append(text);
    flash.replaceChildren(notice);
  });

  // --- The dialog: open while it has content.

  function toggleDialog(box) {
    const title = one('h1, h2', box);
    if (title) {
      title.id ||= 'dialog-title';
      box.setAttribute('aria-labelledby', title.id);
    }
    if (box.childElementCount && !box.open) box.showModal();
    if (!box.childElementCount && box.open) box.close();
  }

  on('close', ({ target }) => { if (target.id === 'dialog') target.replaceChildren(); }, true);

  // Signed in again over the page: what is on it goes on with the new token.
  on('portal:signed-in', ({ detail }) => {
    const box = one('#dialog');
    if (box?.open) box.close();
    if (detail.csrf) for (const input of all('input[name=csrf_token]')) input.value = detail.csrf;
  });

  // --- How much of a long text's room is used.

  on('input', ({ target }) => {
    if (!target.dataset.count) return;
    const shown = target.nextElementSibling ?? target.parentElement.appendChild(document.createElement('p'));
    shown.className = 'hint numeric';
    shown.textContent = `${[...target.value].length} / ${target.dataset.count}`;
  });

  // --- Clicks.

  on('click', (event) => {
    const { target } = event;
    for (const menu of all('details.menu[open], details.more[open]')) if (!menu.contains(target)) menu.open = false;

    const button = target.closest('[data-copy], [data-dismiss], [data-reveal], [data-close]');
    if (!button) return;
    if ('dismiss' in button.dataset) {
      button.closest('.notice').remove();
      one('#main')?.focus({ preventScroll: true });
    } else if ('close' in button.dataset) {
      button.closest('dialog')?.close();
    } else if ('reveal' in button.dataset) {
      const input = document.getElementById(button.dataset.reveal);
      const shown = input.type === 'password';
      input.type = shown ? 'text' : 'password';
      button.setAttribute('aria-pressed', shown);
    } else {
      copy(button);
    }
  });

  async function copy(button) {
    const source = one('input, textarea, code', button.closest('.copy'));
    const text = source.value ?? source.textContent;
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      document.execCommand('copy'); // http:// on a local network has no clipboard
    }
    announce(button.dataset.copied);
    const picture = one('use', button);
    const show = (from, to) => picture.setAttribute('href', picture.getAttribute('href').replace(from, to));
    show('#i-copy', '#i-check');
    setTimeout(() => show('#i-check', '#i-copy'), 1500);
  }

  // --- "All of these": a box that ticks the boxes of a name.

  on('change', ({ target }) => {
    const name = target.dataset?.selectAll;
    const boxes = (of) => all(`input[type=checkbox][name="${CSS.escape(of)}"]`).filter((box) => !box.disabled);
    if (name) for (const box of boxes(name)) box.checked = target.checked;
    if (target.type !== 'checkbox' || !(name || target.name)) return;
    const ticked = boxes(name || target.name).filter((box) => box.checked).length;
    for (const place of all(`[data-count-of="${CSS.escape(name || target.name)}"]`)) {
      place.textContent = ticked;
      place.hidden = !ticked;
    }
    const master = !name && one(`[data-select-all="${CSS.escape(target.name)}"]`);
    if (!master) return;
    master.checked = ticked === boxes(target.name).length;
    master.indeterminate = ticked > 0 && !master.checked;
  });

  // --- Keys.

  on('keydown', (event) => {
    if (event.key === 'Escape') {
      const menu = one('details.menu[open], details.more[open]');
      if (menu) { menu.open = false; one('summary', menu).focus(); }
    }
    const typing = event.target.closest?.('input, select, textarea, [contenteditable]');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey || one('dialog[open]')) return;
    const search = one('[data-search]');
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  });

  // --- A double click sends once. (htmx disables its own buttons.)

  on('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute('method') !== 'post') return;
    // After this turn, so that the pressed button's name is still sent.
    setTimeout(() => { for (const button of all('button[type=submit]:enabled', form)) { button.disabled = true; button.dataset.sent = ''; } });
    setTimeout(reopen, 8000); // a download leaves the page standing
  });

  function reopen() {
    for (const button of all('button[data-sent]')) { button.disabled = false; delete button.dataset.sent; }
  }
  addEventListener('pageshow', reopen);

  // --- First load (the script is deferred: the page is parsed).

  prepare(document);
  const errors = one('.errors');
  if (errors) errors.focus();
})();
