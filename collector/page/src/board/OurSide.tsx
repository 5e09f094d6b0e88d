/** When many providers fall at once it is most likely us, and that is the first thing to know. */
import { useFiring } from "../live/hooks";
import { incidentPath, Link } from "../ui/router";
import { EVERYBODY } from "../ui/verdict";

export function OurSide({ news }: { news: number }) {
  const ours = useFiring(news).find(({ provider }) => provider === EVERYBODY);
  if (!ours) return null;
  return (
    <p class="note" role="alert">
      <b>Most likely our side:</b> {ours.evidence}.{" "}
      <Link to={incidentPath(ours.id)}>The incident</Link>
    </p>
  );
}
