"use strict";
(function () {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  const form = byId("filters");

  const theme = byId("theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  const nameTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  systemDark.addEventListener("change", nameTheme);
  theme.hidden = false;
  nameTheme();

  // Folded cards wait as text: hundreds of them as elements would make the page slow to open.
  for (const card of document.querySelectorAll("details.card")) {
    card.addEventListener("toggle", () => {
      const waiting = card.querySelector("script[type='text/html']");
      if (!card.open || !waiting) return;
      waiting.insertAdjacentHTML("beforebegin", waiting.textContent);
      waiting.remove();
    });
  }

  const filtered = document.querySelectorAll("[data-region], [data-model], [data-regions]");
  const boxes = form.querySelectorAll("[name=method]");
  function filter() {
    const region = form.elements.region.value, model = form.elements.model.value;
    for (const element of filtered) {
      const d = element.dataset;
      const out = (region && d.region !== undefined && d.region !== region)
        || (region && d.regions !== undefined && !d.regions.split(" ").includes(region))
        || (model && d.model !== undefined && d.model !== model);
      element.toggleAttribute("hidden", Boolean(out));
      if (element.tagName === "OPTION") element.disabled = Boolean(out);
    }
    for (const box of boxes) document.body.classList.toggle("hide-" + box.value, !box.checked);
    const cards = [...document.querySelectorAll("details[data-region]")];
    const shown = cards.filter((card) => !card.hasAttribute("hidden"));
    byId("shown").textContent = region || model ? shown.length + " of " + cards.length + " shown; the sentences above are about all" : "";
    if (shown.length === 1) shown[0].open = true;
    showCase();
  }
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());

  const data = byId("data") && JSON.parse(byId("data").textContent);
  const names = {};
  for (const box of boxes) names[box.value] = box.parentElement.textContent.trim();
  function fill(select, texts) {
    const before = select.selectedIndex;
    select.replaceChildren(...texts.map((text, i) => new Option(text, i)));
    select.selectedIndex = before >= 0 && before < texts.length ? before : 0;
  }
  function make(tag, text, kind) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  }
  function showCase() {
    if (!data) return;
    const picked = byId("case");
    if (picked.selectedOptions.length && picked.selectedOptions[0].disabled) {
      const free = [...picked.options].find((option) => !option.disabled);
      if (free) picked.value = free.value;
    }
    const survey = data.surveys[data.groups[picked.value].survey];
    fill(byId("item"), survey.items.map(([id, about]) => (about ? id + " " + about : id)));
    fill(byId("wording"), survey.wordings.map((wording) => wording.replaceAll("_", " ")));
    draw();
  }
  function draw() {
    const group = data.groups[byId("case").value], survey = data.surveys[group.survey];
    const item = Number(byId("item").value), wording = Number(byId("wording").value);
    byId("bars").replaceChildren(...Object.entries(group.chances).map(([method, chances]) => {
      const table = make("table", undefined, "m-" + method);
      table.dataset.method = method;
      table.append(make("caption", names[method]));
      const body = make("tbody");
      chances[wording][item].forEach((chance, option) => {
        const row = make("tr"), track = make("td", undefined, "track"), bar = make("div"), head = make("th", survey.labels[item][option]);
        head.scope = "row";
        bar.style.width = chance / 10 + "%";
        track.append(bar);
        row.append(head, track, make("td", (chance / 10).toFixed(1) + " %"));
        body.append(row);
      });
      table.append(body);
      return table;
    }));
  }
  if (data) {
    byId("case").addEventListener("change", showCase);
    byId("item").addEventListener("change", draw);
    byId("wording").addEventListener("change", draw);
  }
  filter();
})();
