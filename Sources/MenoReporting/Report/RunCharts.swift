internal import Foundation
internal import MenoMetrics
internal import MenoMonitor

/// The charts of a run: what was not measured has none.
struct RunCharts {
    private let run: RunRecord
    private let text: ReportLanguage

    init(_ run: RunRecord, language: ReportLanguage) {
        self.run = run
        text = language
    }

    /// Dots are drawn while they can be told apart.
    var all: [Chart] {
        let last = Double(max(1, run.steps.last?.step ?? 0, run.evaluations.last?.step ?? 0))
        let first = Double(min(run.steps.first?.step ?? 0, run.evaluations.first?.step ?? 0))
        return
            ([loss, isOfPreferences ? nil : perplexity] + preferences + [
                learningRate, gradientNorm, gap, memory, speed, probes,
            ]).compactMap { $0 }.filter { !$0.isEmpty }.map {
                var chart = $0
                for line in chart.lines.indices
                where chart.lines[line].style == .dots && chart.lines[line].points.count > 80 {
                    chart.lines[line].style = .solid
                    chart.lines[line].points = Thinning.extremes(chart.lines[line].points)
                }
                chart.steps = min(first, last - 1)...last
                return chart
            }
    }

    // MARK: Learning

    private var loss: Chart {
        let steps = points(run.steps) { $0.loss }
        // Of a short run each step can be seen; of a long one they are the ground that the course is drawn on.
        var course = Chart.Line(name: text("training", "学習"), points: steps, color: 0)
        var lines: [Chart.Line] = []
        if steps.count > 20 {
            course.points = Thinning.means(steps, count: min(80, steps.count / 5))
            lines.append(
                Chart.Line(
                    name: text("each step", "各ステップ"), points: Thinning.extremes(steps), style: .faint, color: 0))
        }
        lines.append(course)
        let evaluations = points(run.evaluations) { $0.loss }
        lines.append(Chart.Line(name: text("evaluation", "評価"), points: evaluations, style: .dots, color: 1))
        return Chart(
            id: "loss", title: text("Loss", "損失"), unit: isOfPreferences ? "" : text("nats per token", "nat/トークン"),
            lines: lines, marks: checkpointMarks { $0.loss }, spans: spans(of: Self.lossAlerts))
    }

    private var perplexity: Chart {
        var lines = [
            Chart.Line(
                name: text("all tokens", "全トークン"), points: points(run.evaluations) { $0.perplexity }, style: .dots,
                color: 1)
        ]
        let completions = run.evaluations.compactMap { metrics in
            metrics.completionPerplexity.map { (x: Double(metrics.step), y: $0) }
        }
        lines.append(
            Chart.Line(name: text("assistant turns only", "アシスタントの発言のみ"), points: completions, style: .dots, color: 3)
        )
        return Chart(
            id: "perplexity", title: text("Perplexity", "パープレキシティ"), unit: text("lower is better", "低いほど良い"),
            lines: lines, marks: checkpointMarks { $0.perplexity }, isLogarithmic: true)
    }

    private func checkpointMarks(_ value: @escaping (EvaluationMetrics) -> Double) -> [Chart.Mark] {
        let at = { (step: Int) -> (x: Double, y: Double, title: String)? in
            guard let metrics = run.evaluations.last(where: { $0.step == step }) else { return nil }
            return (Double(step), value(metrics), "\(text("step", "ステップ")) \(step)")
        }
        let stable = run.checkpoints.filter { $0.kind == .stable }.compactMap { at($0.step) }
        let best = run.summary.bestStep.flatMap(at)
        return [
            Chart.Mark(name: text("stable", "安定"), shape: .star, points: stable),
            Chart.Mark(name: text("best", "最良"), shape: .ring, points: best.map { [$0] } ?? []),
        ]
    }

    private var learningRate: Chart {
        let points = points(run.steps) { $0.learningRate }
        return Chart(
            id: "learning_rate", title: text("Learning rate", "学習率"), unit: "",
            lines: [Chart.Line(name: "", points: Thinning.extremes(points), color: 3)],
            spans: spans(of: [.learningRateZero]))
    }

    private var gradientNorm: Chart {
        let points = points(run.steps) { $0.gradientNorm }
        return Chart(
            id: "gradient_norm", title: text("Gradient norm", "勾配ノルム"), unit: text("before clipping", "クリップ前"),
            lines: [Chart.Line(name: "", points: Thinning.extremes(points), color: 2)],
            band: points.isEmpty
                ? nil
                : Chart.Band(
                    name: text("accepted range", "許容範囲"), range: run.monitor.configuration.gradientNormBounds),
            spans: spans(of: [.gradientNormOutOfBounds, .notFinite]))
    }

    /// Evaluation loss − mean training loss since the evaluation before.
    private var gap: Chart {
        var points: [(x: Double, y: Double)] = []
        var steps = run.steps[...]
        for evaluation in run.evaluations {
            let since = steps.prefix { $0.step <= evaluation.step }
            steps = steps.dropFirst(since.count)
            guard !since.isEmpty else { continue }
            // By labels, as the evaluation's.
            let weights = since.map { Double(max(1, $0.labels)) }
            let mean = zip(since, weights).reduce(0) { $0 + $1.0.loss * $1.1 } / weights.reduce(0, +)
            points.append((Double(evaluation.step), evaluation.loss - mean))
        }
        return Chart(
            id: "loss_gap", title: text("Evaluation loss − training loss", "評価損失 − 学習損失"), unit: text("nats", "nat"),
            lines: [Chart.Line(name: "", points: points, style: .dots, color: 4)],
            band: Chart.Band(
                name: text("balanced", "均衡"), range: run.monitor.configuration.optimalGapRange),
            spans: spans(of: [.overfitting]))
    }

    // MARK: Resources and answers

    private var memory: Chart {
        let resident = highest(run.resources) { Double($0.resident) / 1_048_576 }
        var lines = [
            Chart.Line(name: text("process", "プロセス"), points: Thinning.extremes(resident), color: 5)
        ]
        for index in Set(run.resources.flatMap { $0.accelerators.map(\.index) }).sorted() {
            let points = highest(run.resources) { usage in
                usage.accelerators.first { $0.index == index }.map { Double($0.allocated) / 1_048_576 } ?? .nan
            }
            lines.append(Chart.Line(name: "GPU \(index)", points: Thinning.extremes(points), color: index % 5))
        }
        return Chart(
            id: "memory", title: text("Memory", "メモリ"), unit: "MiB", lines: lines, spans: spans(of: [.memoryGrowth]))
    }

    private var speed: Chart {
        let points = points(run.steps.filter { $0.seconds > 0 }) { $0.tokensPerSecond }
        return Chart(
            id: "speed", title: text("Speed", "速度"), unit: text("tokens/s", "トークン/秒"),
            lines: [Chart.Line(name: "", points: Thinning.means(points), color: 0)],
            spans: spans(of: [.throughputCollapse]))
    }

    private var probes: Chart {
        let scores = run.monitor.probes.scores
        let line = { (name: String, color: Int, share: (ProbeScores) -> Double) in
            Chart.Line(
                name: name, points: scores.map { (Double($0.step), 100 * share($0)) }, style: .dots, color: color)
        }
        return Chart(
            id: "answers", title: text("Answers to the probe questions", "プローブ質問への回答"), unit: "%",
            lines: [
                line(text("ask a question", "問い返す"), 2, \.askingShare),
                line(text("repeat", "繰り返し"), 4, \.repetitiveShare),
                line(text("do not end", "終わらない"), 1, \.truncatedShare),
            ], spans: spans(of: Self.answerAlerts))
    }

    // MARK: Preferences

    private var isOfPreferences: Bool {
        run.steps.contains { $0.objective != nil } || run.evaluations.contains { $0.objective != nil }
    }

    /// What objectives of preferences measure: in training as a course, in evaluations as dots.
    private var preferences: [Chart] {
        guard isOfPreferences else { return [] }
        let (chosen, rejected) = (text("chosen", "選ばれた側"), text("rejected", "退けられた側"))
        return [
            preferenceChart(
                "rewards", text("Rewards", "報酬"), unit: "β · nat",
                [(chosen, .rewardsChosen, 2), (rejected, .rewardsRejected, 4)], spans: [.chosenLogProbabilityFalls]),
            preferenceChart(
                "reward_margins", text("Reward margins", "報酬の差"), unit: "β · nat", [("", .rewardMargins, 0)],
                spans: [.rewardMarginsExplode]),
            preferenceChart(
                "reward_accuracies", text("Pairs ranked correctly", "正しく順位づけた割合"), unit: "%",
                [("", .rewardAccuracies, 3)], scale: 100, spans: [.preferencesAtChance]),
            preferenceChart(
                "log_probabilities", text("Log-probabilities", "対数確率"), unit: "nat",
                [(chosen, .logpsChosen, 2), (rejected, .logpsRejected, 4)], spans: [.chosenLogProbabilityFalls]),
            preferenceChart("divergence", text("Divergence (KL)", "ダイバージェンス(KL)"), unit: "nat", [("", .divergence, 5)]),
        ]
    }

    private func preferenceChart(
        _ id: String, _ title: String, unit: String, _ metrics: [(name: String, metric: ObjectiveMetric, color: Int)],
        scale: Double = 1, spans kinds: Set<Alert.Kind> = []
    ) -> Chart {
        let lines = metrics.flatMap { name, metric, color in
            let steps = points(run.steps) { $0.objective?[metric].map { $0 * scale } ?? .nan }
            let evaluations = points(run.evaluations) { $0.objective?[metric].map { $0 * scale } ?? .nan }
            let held = text("evaluation", "評価")
            return [
                Chart.Line(name: name, points: Thinning.means(steps, count: 80), color: color),
                Chart.Line(
                    name: name.isEmpty ? held : "\(name), \(held)", points: evaluations, style: .dots, color: color),
            ].filter { !$0.points.isEmpty }
        }
        return Chart(id: id, title: title, unit: unit, lines: lines, spans: spans(of: kinds))
    }

    // MARK: Parts

    private static let lossAlerts: Set<Alert.Kind> = [
        .lossPlateau, .lossDivergence, .lossSpike, .notFinite, .noBetterThanFrequencies,
    ]
    private static let answerAlerts: Set<Alert.Kind> = [
        .questionsMissing, .answersRepetitive, .questionsRepeated, .answersEmpty, .answersTruncated, .wrongLanguage,
    ]

    private func spans(of kinds: Set<Alert.Kind>) -> [Chart.Span] {
        let last = max(run.steps.last?.step ?? 0, run.evaluations.last?.step ?? 0)
        return run.alerts.filter { kinds.contains($0.kind) }.map { alert in
            let end = max(alert.endStep ?? last, alert.startStep)
            return Chart.Span(
                range: Double(alert.startStep)...Double(end), title: alert.kind.title(text),
                isCritical: alert.severity == .critical)
        }
    }
}

/// What was measured at a step.
protocol MeasuredAtStep {
    var step: Int { get }
}

extension StepMetrics: MeasuredAtStep {}
extension EvaluationMetrics: MeasuredAtStep {}
extension ResourceUsage: MeasuredAtStep {}

/// A value of each, by its step; what is no number has no point.
func points<Measured: MeasuredAtStep>(
    _ measured: [Measured], _ value: (Measured) -> Double
) -> [(x: Double, y: Double)] {
    measured.map { (Double($0.step), value($0)) }.filter { $0.1.isFinite }
}

/// The same with one point a step, the highest of those that were measured at it.
func highest<Measured: MeasuredAtStep>(
    _ measured: [Measured], _ value: (Measured) -> Double
) -> [(x: Double, y: Double)] {
    points(measured, value).reduce(into: []) { result, point in
        if let last = result.indices.last, result[last].x == point.x {
            result[last].y = max(result[last].y, point.y)
        } else {
            result.append(point)
        }
    }
}
