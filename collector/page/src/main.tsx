/** The page: one live connection, and a view for each address. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/board.css";
import { Board } from "./board/Board";
import { TopBar } from "./board/Header";
import { startLive, useFeed } from "./live/hooks";
import { Link, useRoute } from "./ui/router";
import { startTheme } from "./ui/theme";

function Page() {
  const state = useFeed();
  const route = useRoute();
  if (route.view === "board") return <Board state={state} />;
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
