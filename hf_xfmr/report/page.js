// Filters and sorts the list of errors; without it the list stands as it is, the surest first.
for (const box of document.querySelectorAll(".browse")) {
  const controls = box.querySelector(".controls");
  const rows = [...box.querySelectorAll(".errors > li")];
  const list = box.querySelector(".errors");
  const rest = box.querySelector("details.rest");
  const count = controls.querySelector("output");
  const chosen = (name) => controls.querySelector(`[name=${name}]`)?.value ?? "";
  const number = (row, name) => Number(row.dataset[name] || 0);
  const orders = {
    score: (a, b) => number(a, "place") - number(b, "place"),
    long: (a, b) => number(b, "tokens") - number(a, "tokens"),
    short: (a, b) => number(a, "tokens") - number(b, "tokens"),
  };
  function show() {
    let shown = 0;
    for (const row of rows) {
      const fits = ["gold", "predicted"].every((name) => !chosen(name) || row.dataset[name] === chosen(name));
      row.hidden = !fits;
      shown += fits;
    }
    list.append(...[...rows].sort(orders[chosen("order")] ?? orders.score));
    count.textContent = count.dataset.text.replace("{shown}", shown).replace("{all}", rows.length);
    if (rest) rest.remove(); // its rows stand in the one list now
  }
  controls.hidden = false;
  controls.addEventListener("change", show);
}
