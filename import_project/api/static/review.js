// The review tab: payments that settle nothing, and postings of which nobody can tell.
import { ask, by, button, cell, say, send } from "/static/page.js";

export async function showReview() {
  const [payments, postings] = await Promise.all([ask("/review/payments"), ask("/review/postings")]);
  by("payments").replaceChildren();
  for (const one of payments.payments) { payment(one); }
  by("no-payments").hidden = payments.payments.length > 0;
  by("postings").replaceChildren();
  for (const one of postings.postings) { posting(one); }
  by("no-postings").hidden = postings.postings.length > 0;
}

function payment(one) {
  const row = by("payments").insertRow();
  cell(row, one.booking_date); cell(row, `${one.amount} ${one.currency}`, "n"); cell(row, one.payer_name || one.payer_account);
  cell(row, one.references.join(", ") || one.remittance); cell(row, `${one.reason}: ${one.evidence}`);
  const proposals = cell(row, "");
  const place = `/review/payments/${encodeURIComponent(one.payment)}`;
  const named = `${one.amount} ${one.currency} of ${one.booking_date}`;
  if (one.decided_by !== "rules") { proposals.textContent = `decided by ${one.decided_by}`; return; }
  for (const rival of one.rivals) {
    const line = document.createElement("p");
    line.className = "row";
    const accept = button("Accept", async () => {
      await send(`${place}/match`, { invoices: rival.invoices.map((id) => ({ invoice_id: id })) });
      await showReview(); say(`${named} settles ${rival.invoices.join(", ")}`);
    });
    accept.setAttribute("aria-label", `Accept ${rival.invoices.join(", ")} for ${named}`);
    line.append(`${rival.invoices.join(", ")} (${rival.why})`, accept);
    proposals.append(line);
  }
  const reject = button(one.rivals.length ? "Reject all" : "Leave unmatched", async () => {
    await send(`${place}/reject`, { note: "" });
    await showReview(); say(`${named} stays unmatched`);
  });
  reject.setAttribute("aria-label", `${reject.textContent}: ${named}`);
  proposals.append(reject);
}

function posting(one) {
  const row = by("postings").insertRow();
  cell(row, one.posting, "n"); cell(row, one.feed); cell(row, one.row_number, "n"); cell(row, one.request); cell(row, one.answer);
  const words = cell(row, ""), line = document.createElement("p");
  line.className = "row";
  for (const [text, word] of [["It took effect", "done"], ["It never will", "rejected"], ["Send it again", "again"]]) {
    const made = button(text, async () => {
      const now = await send(`/review/postings/${one.posting}`, { word });
      await showReview(); say(`posting ${one.posting} is ${now.state}`);
    });
    made.setAttribute("aria-label", `${text}: posting ${one.posting}`);
    line.append(made);
  }
  words.append(line);
}
