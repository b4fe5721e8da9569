internal import Foundation
internal import MenoMetrics
internal import MenoMonitor

/// A run as one page of HTML that needs nothing else: no network, no script.
struct ReportPage {
    private let run: RunRecord
    private let title: String
    private let text: ReportLanguage
    private let controls: HTML

    init(_ run: RunRecord, title: String, language: ReportLanguage, controls: HTML = "") {
        self.controls = controls
        self.run = run
        self.title = title
        text = language
    }

    /// What changes while the run goes on.
    var body: HTML {
        """
        <header><h1>\(title)</h1>\(status)</header>\(controls)
        <main>\(cards)\(alerts)\(charts)\(probes)\(checkpoints)\(troubles)\(data)\(facts)</main>
        """
    }

    // MARK: At the top

    private var status: HTML {
        let summary = run.summary
        let total = run.description?.totalSteps ?? 0
        let kind =
            switch run.outcome?.reason {
            case .completed, .stoppedEarly: "good"
            case nil where run.isRunning == true: "good"
            case .interrupted, nil: "warn"
            case .failed: "bad"
            }
        let word = run.state(text)
        let steps = total > 0 ? "\(summary.steps) / \(total)" : "\(summary.steps)"
        let message: HTML = run.outcome?.message.map { "<p class=\"message\">\($0)</p>" } ?? ""
        return """
            <p><span class="badge \(kind)">\(word)</span> \(text("step", "ステップ")) \(steps) · \
            \(duration(summary.durationSeconds))\(timeLeft(summary, of: total))</p>\(message)
            """
    }

    /// By what the latest steps took, and evaluations and answers up to now. Checkpoints are written meanwhile.
    private func timeLeft(_ summary: RunSummary, of total: Int) -> String {
        let latest = run.steps.suffix(100).map(\.seconds).filter { $0 > 0 }.sorted()
        guard run.outcome == nil, total > summary.steps, !latest.isEmpty else { return "" }
        let between =
            run.evaluations.reduce(0) { $0 + $1.seconds }
            + run.probes.reduce(0) { $0 + $1.answers.reduce(0) { $0 + $1.seconds } }
        let step = latest[latest.count / 2] + between / Double(run.steps.count)
        let left = duration(step * Double(total - summary.steps))
        return text(" · about \(left) left", " · 残り約 \(left)")
    }

    private var cards: HTML {
        let summary = run.summary
        let first = run.evaluations.first
        var cards: [(String, String, String)] = []
        let last = run.evaluations.last
        if let accuracy = last?.objective?[.rewardAccuracies] {
            let margin = last?.objective?[.rewardMargins].map { text("margin \(fixed($0, 3))", "差 \(fixed($0, 3))") }
            cards.append((text("pairs ranked correctly", "正しく順位づけた割合"), "\(fixed(100 * accuracy, 1)) %", margin ?? ""))
        }
        if let perplexity = summary.finalPerplexity, last?.objective == nil {
            let from = first.map { $0.step < (run.evaluations.last?.step ?? 0) ? fixed($0.perplexity, 2) : "" } ?? ""
            cards.append(
                (
                    text("perplexity, held out", "評価パープレキシティ"), fixed(perplexity, 2),
                    from.isEmpty ? "" : text("\(from) at step \(first!.step)", "ステップ \(first!.step) では \(from)")
                ))
        }
        if let loss = summary.finalEvaluationLoss {
            cards.append(
                (
                    text("evaluation loss", "評価損失"), fixed(loss, 4),
                    last?.objective == nil ? text("nats per token", "nat/トークン") : ""
                ))
        }
        if let loss = summary.finalTrainLoss { cards.append((text("training loss", "学習損失"), fixed(loss, 4), "")) }
        if let best = summary.bestStep {
            let loss = summary.bestEvaluationLoss.map { text("loss \(fixed($0, 4))", "損失 \(fixed($0, 4))") } ?? ""
            cards.append((text("best step", "最良ステップ"), "\(best)", loss))
        }
        let stable = run.checkpoints.filter { $0.kind == .stable }.count
        cards.append((text("stable checkpoints", "安定チェックポイント"), "\(stable)", ""))
        cards.append((text("alerts", "警告"), "\(run.alerts.count)", openAlerts))
        if let speed = summary.tokensPerSecond {
            let tokens = text("\(grouped(summary.tokens)) tokens", "計 \(grouped(summary.tokens)) トークン")
            cards.append((text("tokens/s", "トークン/秒"), fixed(speed, 0), tokens))
        }
        if let peak = summary.peakMemoryMiB {
            let gpu = summary.peakGPUMemoryMiB.map { fixed($0, 0) }.joined(separator: ", ")
            cards.append((text("peak memory", "最大メモリ"), "\(fixed(peak, 0)) MiB", gpu.isEmpty ? "" : "GPU \(gpu) MiB"))
        }
        let boxes = cards.map { name, value, note -> HTML in
            """
            <div class="card"><div class="name">\(name)</div><div class="value">\(value)</div>\
            <div class="note">\(note)</div></div>
            """
        }
        return "<section class=\"cards\">\(boxes)</section>"
    }

    private var openAlerts: String {
        let open = run.alerts.filter { $0.endStep == nil }.count
        return open > 0 ? text("\(open) ongoing", "\(open) 件は継続中") : ""
    }

    // MARK: Alerts and charts

    /// The latest of each kind, ongoing ones first; earlier ones can be unfolded.
    private var alerts: HTML {
        guard !run.alerts.isEmpty else { return "" }
        let rank = { (alerts: [Alert]) -> (Int, Int, String) in
            (alerts.last!.endStep == nil ? 0 : 1, alerts[0].startStep, alerts[0].kind.rawValue)
        }
        let kinds = Dictionary(grouping: run.alerts, by: \.kind).values.sorted { rank($0) < rank($1) }
        let items = kinds.map { alerts -> HTML in
            let earlier = alerts.dropLast().reversed().map { item($0) }
            let more: HTML =
                earlier.isEmpty
                ? ""
                : """
                <details data-key="\(alerts[0].kind.rawValue)"><summary>\(text("\(earlier.count) more of this kind", "同種の警告がほかに \(earlier.count) 件"))</summary>\
                <ul class="alerts">\(earlier)</ul></details>
                """
            return item(alerts.last!, more: more)
        }
        return section(text("Alerts", "警告"), "<ul class=\"alerts\">\(items)</ul>")
    }

    private func item(_ alert: Alert, more: HTML = "") -> HTML {
        let end = alert.endStep.map { text("to \($0)", "~ \($0)") } ?? text("(ongoing)", "継続中")
        let detail =
            text == .japanese
            ? alert.values.sorted { $0.key < $1.key }.map {
                "\(Alert.Kind.japaneseName(of: $0.key)) \(short($0.value))"
            }.joined(separator: "、") : alert.message
        let advice = text == .japanese ? alert.kind.japaneseAdvice : alert.advice
        return """
            <li class="\(alert.severity.rawValue)"><strong>\(alert.kind.title(text))</strong> \
            <span class="when">\(text("step", "ステップ")) \(alert.startStep) \(end) \
            (\(text("noticed at", "検知")) \(alert.detectedStep))</span>\
            <div>\(detail)</div><div class="advice">\(advice)</div>\(more)</li>
            """
    }

    private var charts: HTML {
        let figures = RunCharts(run, language: text).all.map { chart -> HTML in
            "<figure>\(SVGChart(chart).inline)</figure>"
        }
        return figures.isEmpty
            ? "<p>\(text("Nothing was measured yet.", "まだ何も測定されていません。"))</p>"
            : section(text("Progress", "経過"), "<div class=\"charts\">\(figures)</div>")
    }

    // MARK: Answers

    private var probes: HTML {
        guard let last = run.probes.last else { return "" }
        let questions = last.answers.map(\.question)
        let blocks = questions.enumerated().map { index, question -> HTML in
            let rows = shownProbes.compactMap { step, answers -> HTML? in
                guard let place = answers.firstIndex(where: { $0.question == question }) else { return nil }
                let scores = run.monitor.probes.scores.last { $0.step == step }?.answers
                let badges = scores.flatMap { $0.indices.contains(place) ? self.badges($0[place]) : nil } ?? ""
                return """
                    <tr><th>\(step)</th><td><div class="answer">\(answer(answers[place].answer))</div>\(badges)</td></tr>
                    """
            }
            return """
                <details\(index == 0 ? " open" : "")><summary>\(question)</summary>\
                <table class="answers">\(rows)</table></details>
                """
        }
        let share = run.summary.probeShare.map {
            text(
                "They took \(fixed(100 * $0, 1)) % of the run's time.",
                "所要時間は全体の \(fixed(100 * $0, 1)) % です。")
        }
        let left = run.probes.count - shownProbes.count
        let omitted =
            left > 0
            ? text(
                "\(left) of \(run.probes.count) are omitted here; events.jsonl has all of them.",
                "\(run.probes.count) 回のうち \(left) 回は省略しました(events.jsonl にすべてあります)。") : nil
        let note = [text("Greedy answers, step by step.", "ステップごとの回答(貪欲法)です。"), omitted, share]
            .compactMap { $0 }.joined(separator: " ")
        return section(
            text("Answers to the probe questions", "プローブ質問への回答"), "<p>\(note)</p>\(blocks)")
    }

    /// Of a long run the first, the latest, and some between.
    private var shownProbes: [(step: Int, answers: [ProbeAnswer])] {
        let (count, most) = (run.probes.count, 24)
        guard count > most else { return run.probes }
        return (0..<most).map { run.probes[$0 * (count - 1) / (most - 1)] }
    }

    private func answer(_ answer: String) -> HTML {
        let answer = answer.trimmingCharacters(in: .whitespacesAndNewlines)
        return answer.isEmpty ? "<em>\(text("(empty)", "(空)"))</em>" : "\(answer)"
    }

    private func badges(_ scores: AnswerScores) -> HTML {
        var badges: [(String, String)] = []
        if scores.asksBack { badges.append((text("asks back", "問い返す"), "good")) }
        if scores.isRepetitive { badges.append((text("repeats itself", "繰り返し"), "bad")) }
        if scores.isTruncated { badges.append((text("does not end", "終わらない"), "warn")) }
        if scores.isInWrongLanguage { badges.append((text("another language", "言語が違う"), "bad")) }
        return "\(badges.map { name, kind -> HTML in " <span class=\"badge \(kind)\">\(name)</span>" })"
    }

    // MARK: What was kept, and the facts

    private var checkpoints: HTML {
        guard !run.checkpoints.isEmpty else { return "" }
        let stable = run.monitor.policy.checkpoints
        let rows = run.checkpoints.sorted { ($0.step, $0.path) < ($1.step, $1.path) }.map { record -> HTML in
            let evaluation = run.evaluations.last { $0.step == record.step }
            let loss =
                evaluation.map { metrics in
                    let second = metrics.objective.map { $0[.rewardAccuracies].map { fixed(100 * $0, 1) + " %" } ?? "" }
                    return "\(fixed(metrics.loss, 4)) / \(second ?? fixed(metrics.perplexity, 2))"
                } ?? ""
            let deviation = stable.first { $0.step == record.step && record.kind == .stable }.map {
                "σ \(fixed($0.metrics.evaluationLossDeviation, 4))"
            }
            let best = record.kind == .regular && record.step == run.summary.bestStep
            let badge: HTML = best ? " <span class=\"badge good\">\(text("best", "最良"))</span>" : ""
            return """
                <tr><th>\(record.step)</th><td><code>\(record.path)</code>\(badge)</td>\
                <td>\(loss)</td><td>\(deviation ?? "")</td></tr>
                """
        }
        let head: HTML = """
            <tr><th>\(text("step", "ステップ"))</th><td>\(text("folder", "フォルダー"))</td>\
            <td>\(run.evaluations.last?.objective == nil
                ? text("evaluation loss / perplexity", "評価損失 / パープレキシティ")
                : text("evaluation loss / pairs ranked correctly", "評価損失 / 正しく順位づけた割合"))</td><td></td></tr>
            """
        return section(text("Checkpoints", "チェックポイント"), "<table class=\"list\">\(head)\(rows)</table>")
    }

    private var troubles: HTML {
        let skipped = run.skipped.map { skipped -> HTML in
            "<li>\(text("step", "ステップ")) \(skipped.step): \(skipped.reason) \(skipped.records.joined(separator: ", "))</li>"
        }
        let failures = run.failures.map { failure -> HTML in
            "<li>\(text("step", "ステップ")) \(failure.step): \(failure.reason)</li>"
        }
        let parts: [HTML] = [
            skipped.isEmpty
                ? "" : section(text("Skipped steps", "適用されなかったステップ"), "<ul>\(skipped)</ul>"),
            failures.isEmpty
                ? ""
                : section(text("Checkpoints that could not be saved", "保存できなかったチェックポイント"), "<ul>\(failures)</ul>"),
        ]
        return "\(parts)"
    }

    private var data: HTML {
        guard let data = run.data else { return "" }
        var rows = [
            (text("file", "ファイル"), data.path), (text("records", "レコード"), data.summary),
            (
                text("examples", "データ"),
                text(
                    "\(data.trainSamples) trained on, \(data.evaluationSamples) evaluated",
                    "学習 \(data.trainSamples) 件、評価 \(data.evaluationSamples) 件")
            ),
        ]
        if let lengths = data.lengths {
            rows.append(
                (
                    text("tokens per example", "1件のトークン数"),
                    text(
                        "\(lengths.shortest) to \(lengths.longest), median \(lengths.median), 90th percentile \(lengths.ninetieth)",
                        "\(lengths.shortest)〜\(lengths.longest)、中央値 \(lengths.median)、90 % が \(lengths.ninetieth) 以下")
                ))
            if let labels = data.labels {
                rows.append(
                    (
                        text("tokens in the loss", "学習対象のトークン"),
                        "\(grouped(Double(labels))) / \(grouped(Double(lengths.total)))"
                    ))
            }
        }
        rows += data.records.map(described) ?? []
        if let template = data.template { rows.append((text("chat template", "チャットテンプレート"), template)) }
        let notes = (data.remarks + data.problems).map { note -> HTML in "<li>\(note)</li>" }
        let list: HTML =
            notes.isEmpty
            ? ""
            : """
            <details data-key="data-problems"><summary>\(text("Records with problems", "問題のあるレコード"))</summary>\
            <ul>\(notes)</ul></details>
            """
        let preview: HTML =
            data.preview.map {
                """
                <details data-key="data-preview"><summary>\(text("The first example, token by token", "最初のデータ(トークンごと)"))\
                </summary><pre>\($0)</pre></details>
                """
            } ?? ""
        return section(text("Data", "データ"), "\(HTML.table(rows))\(list)\(preview)")
    }

    /// What the records are like, as `meno inspect` shows it.
    private func described(_ records: RunDataSummary.Records) -> [(String, String)] {
        let list = { (shares: [RunDataSummary.Share], count: Int) -> String in
            let shown = shares.prefix(8)
            let names = shown.map { "\($0.name) \(grouped(Double($0.records)))" }.joined(separator: ", ")
            let more = count - shown.count
            return more > 0 ? text("\(names), and \(more) more", "\(names)、ほか \(more) 件") : names
        }
        var rows = [(text("shapes", "形式"), list(records.shapes, records.shapes.count))]
        if !records.languages.isEmpty {
            rows.append(
                (
                    text("languages (guessed from the script)", "言語(文字種からの推定)"),
                    list(records.languages, records.languages.count)
                ))
        }
        if records.sourceCount > 0 {
            rows.append(
                (text("sources", "出典"), "\(records.sourceCount): \(list(records.sources, records.sourceCount))"))
        }
        if records.pairs > 0 { rows.append((text("pairs", "選好の組"), grouped(Double(records.pairs)))) }
        rows.append(
            (
                text("duplicates", "重複"),
                text(
                    "\(grouped(Double(records.duplicates))) records repeat an earlier one (ignoring white space)",
                    "空白を除いて前のレコードと同じもの \(grouped(Double(records.duplicates))) 件")
            ))
        return rows
    }

    /// How many processes train together, and which is the slowest one.
    private func load(of processes: Int) -> String {
        guard let seconds = run.resources.last(where: { $0.computingSeconds != nil })?.computingSeconds,
            let slowest = seconds.indices.max(by: { seconds[$0] < seconds[$1] }), seconds[slowest] > 0
        else { return "\(processes)" }
        let others = (seconds.reduce(0, +) - seconds[slowest]) / Double(max(1, seconds.count - 1))
        let idle = 100 * (1 - others / seconds[slowest])
        return text(
            "\(processes); rank \(slowest) is the slowest, \(fixed(seconds[slowest], 2)) s per step; the others wait for \(fixed(idle, 0)) % of that",
            "\(processes)(最も遅いのは rank \(slowest)、1ステップ \(fixed(seconds[slowest], 2)) 秒、待ち \(fixed(idle, 0)) %)")
    }

    private var facts: HTML {
        var rows: [(String, String)] = []
        if let run = run.description, !run.model.isEmpty {
            let share = 100 * Double(run.trainedParameters) / Double(max(1, run.totalParameters))
            rows = [
                (text("model", "モデル"), "\(run.model) (\(run.architecture))"),
                (text("computed on", "計算"), "\(run.device), \(run.dtype)"),
            ]
            if let processes = run.processes { rows.append((text("processes", "プロセス"), load(of: processes))) }
            rows += [
                (
                    text("trained parameters", "学習パラメーター"),
                    "\(grouped(Double(run.trainedParameters))) / \(grouped(Double(run.totalParameters))) "
                        + "(\(fixed(share, 2)) %)"
                ),
                (
                    text("examples", "データ"),
                    text(
                        "\(run.trainSamples) trained on, \(run.evaluationSamples) evaluated",
                        "学習 \(run.trainSamples) 件、評価 \(run.evaluationSamples) 件")
                ),
                (text("steps per epoch", "1エポックのステップ数"), "\(run.stepsPerEpoch)"),
            ]
            if let entropy = run.labelEntropy {
                let value = text("\(fixed(entropy, 4)) nats per token", "\(fixed(entropy, 4)) nat/トークン")
                rows.append((text("loss from token frequencies alone", "トークンの頻度だけによる損失"), value))
            }
        }
        if let seconds = run.summary.observerSeconds, let share = run.summary.observerShare {
            let value = text(
                "\(fixed(seconds, 2)) s, \(fixed(100 * share, 2)) % of the run's time",
                "\(fixed(seconds, 2)) 秒(実行時間の \(fixed(100 * share, 2)) %)")
            rows.append((text("monitor, logs and files took", "監視と記録の所要時間"), value))
        }
        rows.append((text("read from", "記録"), run.source))
        let configuration: HTML? = run.configuration.map {
            "<details><summary>run.yaml</summary><pre>\($0)</pre></details>"
        }
        return section(text("The run", "実行内容"), "\(HTML.table(rows))\(configuration ?? "")")
    }

    private func section(_ title: String, _ content: HTML) -> HTML {
        "<section><h2>\(title)</h2>\(content)</section>"
    }

    private func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        return abs(value) < 1e7 ? String(format: "%.\(digits)f", value) : String(format: "%.4g", value)
    }

    /// A whole number, by threes.
    private func grouped(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e18 else { return "\(value)" }
        let digits = Array("\(Int(abs(value)))")
        let parts = stride(from: digits.count % 3, through: digits.count, by: 3).map { end in
            String(digits[max(0, end - 3)..<end])
        }
        return (value < 0 ? "-" : "") + parts.filter { !$0.isEmpty }.joined(separator: ",")
    }

    private func short(_ value: Double) -> String { String(format: "%.4g", value) }

    private func duration(_ seconds: Double) -> String {
        (text == .japanese ? DurationText.japanese : .english)(seconds)
    }
}
