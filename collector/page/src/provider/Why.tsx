/** Why it fell, at a glance: each figure against what is normal here, on one logarithmic ruler. */
import type { Provider } from "../api/types";
import { duration, rate, share, times } from "../ui/format";
import { meters } from "./meters";

const TEXT = { ms: duration, share, rate } as const;

export function Why({ provider }: { provider: Provider }) {
  const rows = meters(provider);
  if (rows.length === 0) return null;
  return (
    <table class="why" aria-label="Now, against normal">
      <tbody>
        {rows.map(({ label, value, normal, unit, part }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td class="num">
              <b>{TEXT[unit](value)}</b>
            </td>
            <td class="meter" aria-hidden="true">
              <span class="normal" />
              <span class="now" style={{ left: `${90 * part}%` }} />
            </td>
            <td class="soft">
              {times(value, normal) && <b>{times(value, normal)}, </b>}
              normally {TEXT[unit](normal)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
