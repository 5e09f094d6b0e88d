/** The daemon about itself, as a few short items; what needs eyes says so. */
import type { Destination, Stats } from "../api/types";
import type { Polled } from "../live/hooks";
import { bytes, count, duration, elapsed, rate } from "../ui/format";

export interface HealthItem {
  label: string;
  value: string;
  detail: string;
  alarming: boolean;
}

/** Forwarding behind by more than this is no longer batching. */
const LAG_ALARM_S = 10;

const total = (numbers: Record<string, number> | undefined) => Object.values(numbers ?? {}).reduce((sum, n) => sum + n, 0);

function listed(numbers: Record<string, number> | undefined): string {
  const some = Object.entries(numbers ?? {}).filter(([, n]) => n > 0);
  return some.length === 0 ? "none" : some.map(([name, n]) => `${name.replaceAll("_", " ")} ${count(n)}`).join(", ");
}

function received({ value, before, betweenMs }: Polled<Stats>): HealthItem[] {
  if (!value) return [];
  const more = before ? value.received - before.received : -1;
  const perSecond = more >= 0 && betweenMs > 0 ? (more * 1000) / betweenMs : null;
  return [
    {
      label: "received",
      value: perSecond === null ? count(value.received) : `${rate(perSecond)}/s`,
      detail: `${count(value.received)} spans since the daemon started, ${count(value.rolled_up)} counted as calls`,
      alarming: false,
    },
  ];
}

function losses({ rejected, late }: Stats): HealthItem[] {
  const items: HealthItem[] = [];
  if (total(rejected) > 0) {
    items.push({ label: "rejected", value: count(total(rejected)), detail: listed(rejected), alarming: true });
  }
  if (total(late) > 0) items.push({ label: "late", value: count(total(late)), detail: listed(late), alarming: false });
  return items;
}

function journal({ journal }: Stats): HealthItem[] {
  if (!journal) return [];
  const corrupt = journal.corrupt_records > 0;
  const kept = journal.oldest_s === null ? "" : `, reaches back ${elapsed(journal.oldest_s * 1000)}`;
  return [
    {
      label: "journal",
      value: corrupt ? `${count(journal.corrupt_records)} corrupt` : bytes(journal.bytes),
      detail: `${bytes(journal.bytes)} on disk${kept}, ${count(journal.corrupt_records)} corrupt records`,
      alarming: corrupt,
    },
  ];
}

function destination([name, to]: [string, Destination]): HealthItem {
  const dropped = total(to.dropped);
  const behind = (to.lag_s ?? 0) > LAG_ALARM_S;
  const lag = to.lag_s === null ? "no lag known" : `${duration(to.lag_s * 1000)} behind`;
  const drops = dropped > 0 ? `, ${count(dropped)} dropped` : "";
  return {
    label: name,
    value: `${lag}, ${count(to.queued)} queued${drops}`,
    detail: `${count(to.forwarded)} forwarded, ${count(to.rejected_by_destination)} rejected by it, dropped: ${listed(to.dropped)}`,
    alarming: behind || dropped > 0,
  };
}

export function health(stats: Polled<Stats>): HealthItem[] {
  const { value } = stats;
  if (!value) return [];
  const masked: HealthItem = {
    label: "masked",
    value: count(total(value.masked)),
    detail: `values masked by rule: ${listed(value.masked)}`,
    alarming: false,
  };
  const destinations = Object.entries(value.destinations ?? {});
  const forwarding = destinations.map(destination);
  if (forwarding.length === 0) {
    forwarding.push({
      label: "forwarding",
      value: "off",
      detail: "no destination in the config: add [forward.jaeger] with an endpoint to send traces to Jaeger",
      alarming: false,
    });
  }
  return [...received(stats), masked, ...losses(value), ...journal(value), ...forwarding];
}
