/** The page: one live connection, and a view for each address. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/board.css";
import "./style/detail.css";
import "./style/lists.css";
import { Board } from "./board/Board";
import { TopBar } from "./board/Header";
import { Incidents } from "./incidents/Incidents";
import { ProviderView } from "./provider/ProviderView";
import { startLive, useFeed } from "./live/hooks";
import { Link, useRoute } from "./ui/router";
import { startTheme } from "./ui/theme";
import { TraceView } from "./trace/TraceView";
import { Unmapped } from "./unmapped/Unmapped";

function Page() {
  const state = useFeed();
  const route = useRoute();
  if (route.view === "board") return <Board state={state} />;
  if (route.view === "provider") return <ProviderView key={route.name} name={route.name} state={state} />;
  if (route.view === "trace") return <TraceView key={route.id} id={route.id} state={state} />;
  if (route.view === "incidents") return <Incidents state={state} />;
  if (route.view === "unmapped") return <Unmapped state={state} />;
  return (
    <>
      <TopBar state={state} />
      <main>
        <section class="state">
          <h1>Nothing lives at this address</h1>
          <p>
            <Link to="/">Go to the board</Link>
          </p>
        </section>
      </main>
    </>
  );
}

startTheme();
startLive();
const root = document.getElementById("app");
if (root) render(<Page />, root);
