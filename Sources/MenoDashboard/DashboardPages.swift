internal import Foundation
internal import MenoReporting

/// What the dashboard shows under each of its addresses.
struct DashboardPages: Sendable {
    enum Page {
        /// A whole page, with the script that keeps it up to date.
        case page(String)
        /// What stands on a page.
        case fragment(String)
        /// Tells whenever the fragment beside it has changed.
        case updates(stamp: @Sendable () async -> String)
        case redirect(String)
        /// Text for Prometheus.
        case metrics(String)
        case notFound
        /// What a form asked for was not done.
        case refused(status: Int, String)
    }

    let catalog: RunCatalog
    let cache: RunCache
    let language: ReportLanguage
    var controls = DashboardControls()

    /// - Parameters:
    ///   - path: decoded, part by part.
    ///   - query: the fields behind it.
    func page(_ path: [String], query: [String: String] = [:], nonce: String) async -> Page {
        switch (path.count, path.first) {
        case (0, _):
            let runs = catalog.runs
            if runs.count == 1 { return .redirect(Self.address(of: runs[0].name)) }
            return .page(shell("Meno", await comparison(runs), nonce))
        case (1, "body"): return .fragment(await comparison(catalog.runs).text)
        case (1, "updates"):
            return .updates { [catalog, cache] in
                var stamps: [String] = []
                for run in catalog.runs { stamps.append(await cache.stamp(of: run.url)) }
                return stamps.joined(separator: ";")
            }
        case (1, "metrics"): return .metrics(PrometheusText(await records(catalog.runs)).text)
        case (2, "runs"), (3, "runs"):
            return await run(path[1], part: path.count == 3 ? path[2] : nil, query, nonce)
        default: return .notFound
        }
    }

    /// Does what a form asks for.
    func act(_ path: [String], form: [String: String]) async -> Page {
        guard path.count == 3, path[0] == "runs", let request = RunRequest(rawValue: path[2]),
            let url = catalog.run(named: path[1])
        else { return .notFound }
        switch controls.act(request, form: form, on: url, isRunning: await cache.isRunning(url)) {
        case .done: return .redirect(Self.address(of: path[1]))
        case .forbidden:
            return .refused(status: 403, "This form does not come from a page of this dashboard. Reload the page.")
        case .outOfDate:
            return .refused(
                status: 409, "The process shown on this page is no longer training. Reload the page.")
        case .failed(let reason): return .refused(status: 500, reason)
        }
    }

    static func address(of run: String) -> String {
        "/runs/"
            + (run.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? "")
    }

    private func run(_ name: String, part: String?, _ query: [String: String], _ nonce: String) async -> Page {
        guard let url = catalog.run(named: name) else { return .notFound }
        switch part {
        case nil: return .page(shell(name, await body(of: url, name), nonce))
        case "body": return .fragment(await body(of: url, name).text)
        case "updates":
            return .updates { [cache, controls] in "\(await cache.stamp(of: url)) \(controls.stamp(of: url))" }
        case "answers": return .page(await answers(of: url, name, query))
        default: return .notFound
        }
    }

    private func body(of url: URL, _ name: String) async -> HTML {
        do {
            let record = try await cache.record(url)
            let controls = controls.html(of: url, record: record, address: Self.address(of: name), language)
            return Report(record, title: name, language: language, controls: controls).body
        } catch {
            return "<header><h1>\(name)</h1></header><main><p>\("\(error)")</p></main>"
        }
    }

    /// A page that stays as it is.
    private func answers(of url: URL, _ name: String, _ query: [String: String]) async -> String {
        var body: HTML
        do {
            body =
                AnswerComparison(
                    try await cache.record(url), title: name, language: language, address: Self.address(of: name),
                    left: query["left"].flatMap(Int.init), right: query["right"].flatMap(Int.init)
                ).body
        } catch {
            body = "<header><h1>\(name)</h1></header><main><p>\("\(error)")</p></main>"
        }
        return ReportShell.page(title: name, language: language, body: body)
    }

    private func comparison(_ runs: [(name: String, url: URL)]) async -> HTML {
        Comparison(await records(runs), language: language, link: Self.address).body
    }

    private func records(_ runs: [(name: String, url: URL)]) async -> [(name: String, run: RunRecord)] {
        var records: [(name: String, run: RunRecord)] = []
        for (name, url) in runs {
            // One that cannot be read has a page that says why; here it would only be in the way.
            if let record = try? await cache.record(url) { records.append((name, record)) }
        }
        return records
    }

    private func shell(_ title: String, _ body: HTML, _ nonce: String) -> String {
        ReportShell.page(title: title, language: language, body: body, script: script, nonce: nonce)
    }

    /// Fetches what stands on the page whenever it has changed, and tells when that was; what the reader has opened or closed
    /// stays so.
    private var script: String {
        let (updated, lost) =
            language == .japanese
            ? ("最終更新", "ダッシュボードにつながりません") : ("updated", "the dashboard does not answer")
        return """
            const base = location.pathname.replace(/\\/$/, '');
            const live = document.getElementById('live');
            const news = document.body.appendChild(document.createElement('div'));
            news.id = 'news';
            const name = details => details.dataset.key ?? details.querySelector('summary').textContent;
            const source = new EventSource(base + '/updates');
            source.addEventListener('error', () => { news.textContent = '\(lost)'; });
            source.addEventListener('update', async () => {
              const answer = await fetch(base + '/body');
              if (!answer.ok) return;
              const before = new Map([...live.querySelectorAll('details')].map(d => [name(d), d.open]));
              live.innerHTML = await answer.text();
              for (const details of live.querySelectorAll('details'))
                if (before.has(name(details))) details.open = before.get(name(details));
              news.textContent = '\(updated) ' + new Date().toLocaleTimeString();
            });
            """
    }
}
