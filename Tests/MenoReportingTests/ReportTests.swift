import Foundation
import MenoMetrics
import MenoMonitor
import MenoTesting
import Testing

@testable import MenoReporting

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct ReportTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: ReportLanguage.allCases) func aRunIsToldOnOnePage(_ language: ReportLanguage) throws {
        let run = try recorded(events())
        let page = Report(run, title: "<ソクラテス>", language: language).html
        #expect(page.contains("lang=\"\(language.rawValue)\""))
        #expect(page.contains("&lt;ソクラテス&gt;") && !page.contains("<ソクラテス>"))
        // Nothing is fetched, and nothing runs.
        for outside in ["http:", "https:", "//", "src=", "<script", "@import", "url("] {
            #expect(!page.contains(outside), "\(outside)")
        }
        #expect(page.contains(language == .japanese ? "問い返す" : "asks back"))
        #expect(page.contains(language == .japanese ? "過学習" : "Overfitting"))
        #expect(page.contains(language == .japanese ? "0.10 秒(実行時間の 0.30 %)" : "0.10 s, 0.30 % of the run"))
        #expect(page.contains("5.2500 nat"))
        // What a model answers is shown as text, whatever it is.
        #expect(page.contains("&lt;img onerror=alert(1)&gt;それはなぜですか?"))
        #expect(page.contains("stable_checkpoint-40") && !page.contains("stable_checkpoint-20"))
    }

    @Test(arguments: ReportLanguage.allCases) func theDataIsDescribed(_ language: ReportLanguage) throws {
        _ = try recorded(events())
        let many = (1...20).map { RunDataSummary.Share(name: "book \($0)", records: 1000) }
        let records = RunDataSummary.Records(
            shapes: [.init(name: "dialogue", records: 25_000), .init(name: "text", records: 3)],
            languages: [.init(name: "Japanese", records: 24_000)], sources: many, sourceCount: 50, pairs: 12,
            duplicates: 1234)
        let data = RunDataSummary(
            path: "a.jsonl", summary: "25003 records", records: records, template: nil, trainSamples: 1,
            evaluationSamples: 1, lengths: nil, labels: nil, problems: [], remarks: [], preview: nil)
        let file = RunLayout(folder.url).progress.appending(path: RunLayout.dataSummaryName)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let encoder = JSONEncoder.reproducible(snakeCase: true)
        try encoder.encode(data).write(to: file)
        let page = Report(try RunRecord(folder.url), title: "run", language: language).html
        #expect(page.contains("dialogue 25,000, text 3") && page.contains("Japanese 24,000"))
        #expect(page.contains("50: book 1 1,000, book 2 1,000"))
        #expect(page.contains(language == .japanese ? "ほか 42 件" : "and 42 more"))
        #expect(page.contains(language == .japanese ? "前のレコードと同じもの 1,234 件" : "1,234 records repeat an earlier one"))
        // Runs of earlier versions recorded none of it.
        let old = try #require(
            try JSONSerialization.jsonObject(with: encoder.encode(data)) as? [String: Any]
        ).filter { $0.key != "records" }
        try JSONSerialization.data(withJSONObject: old).write(to: file)
        let earlier = Report(try RunRecord(folder.url), title: "run", language: language).html
        #expect(earlier.contains("25003 records") && !earlier.contains("24,000"))
    }

    @Test func theSlowestOfSeveralProcessesIsNamed() throws {
        let events = events().map { event -> RunEvent in
            switch event {
            case .started(var description):
                description.processes = 2
                return .started(description)
            case .resources(var usage):
                usage.computingSeconds = [1.5, 2]
                return .resources(usage)
            default: return event
            }
        }
        let page = Report(try recorded(events), title: "run", language: .english).html
        #expect(page.contains("2; rank 1 is the slowest, 2.00 s per step; the others wait for 25 % of that"))
    }

    @Test func everyChartIsAFileOfWellFormedSVG() throws {
        let run = try recorded(events())
        let output = folder.url.appending(path: "out")
        try Report(run, title: "run", language: .english).write(to: output)
        let files = try FileManager.default.contentsOfDirectory(at: output, includingPropertiesForKeys: nil)
        let charts = files.filter { $0.pathExtension == "svg" }
        #expect(
            Set(charts.map(\.lastPathComponent))
                == Set(
                    ["loss", "perplexity", "learning_rate", "gradient_norm", "loss_gap", "memory", "speed", "answers"]
                        .map { "chart_\($0).svg" }))
        for chart in charts {
            let parser = try #require(XMLParser(contentsOf: chart))
            #expect(parser.parse(), "\(chart.lastPathComponent): \(String(describing: parser.parserError))")
        }
        // Spikes survive thinning, and every number is a number.
        let loss = try String(contentsOf: output.appending(path: "chart_loss.svg"), encoding: .utf8)
        #expect(!loss.contains("nan") && !loss.contains("inf"))
    }

    @Test func aRunOfTrainerIsToldAsFarAsItGoes() throws {
        let checkpoint = folder.url.appending(path: "checkpoint-20")
        try FileManager.default.createDirectory(at: checkpoint, withIntermediateDirectories: true)
        try Data(
            #"""
            {"max_steps": 40, "num_train_epochs": 2, "log_history": [
              {"step": 10, "epoch": 0.5, "loss": 2.5, "learning_rate": 1e-4, "grad_norm": NaN},
              {"step": 20, "epoch": 1.0, "loss": 2.25, "learning_rate": 5e-5, "grad_norm": 1.5},
              {"step": 20, "epoch": 1.0, "eval_loss": 2.125, "eval_runtime": 3.5}]}
            """#.utf8
        ).write(to: checkpoint.appending(path: "trainer_state.json"))
        let run = try RunRecord(folder.url)
        #expect(run.source == "trainer_state.json" && run.steps.map(\.step) == [20] && run.skipped.map(\.step) == [10])
        let page = Report(run, title: "trainer", language: .english).html
        #expect(page.contains("8.37") && page.contains("no end recorded") && page.contains("step 20 / 40"))
    }

    @Test func whatIsNoRunIsAnErrorThatSaysWhatIsExpected() throws {
        let error = #expect(throws: ReportError.self) { try RunRecord(folder.url) }
        #expect("\(error!)".contains(folder.url.path) && "\(error!)".contains("trainer_state.json"))
        try Data("{}".utf8).write(to: folder.url.appending(path: "trainer_state.json"))
        #expect(throws: MonitorError.self) { try RunRecord(folder.url) }
    }

    @Test func aRunThatHasOnlyBegunHasAPage() throws {
        let run = try recorded([events()[0]])
        #expect(Report(run, title: "new", language: .english).html.contains("Nothing was measured yet."))
    }

    // MARK: Parts

    @Test(arguments: [
        (0.0...1.0, 0.2), (0...64, 20), (0.0001...0.0005, 0.0001), (3.2...3.3, 0.02), (-1.5...0.6, 0.5),
    ]) func ticksAreRound(_ range: ClosedRange<Double>, _ step: Double) {
        let scale = Scale([range.lowerBound, range.upperBound])
        #expect(scale.range.lowerBound <= range.lowerBound && scale.range.upperBound >= range.upperBound)
        for (tick, next) in zip(scale.ticks, scale.ticks.dropFirst()) { #expect(abs(next - tick - step) < 1e-9 * step) }
        #expect(scale.ticks.count >= 3)
    }

    @Test func aLogarithmicAxisIsLogarithmic() {
        let scale = Scale([15.8, 369.9], isLogarithmic: true)
        #expect(scale.ticks == [20, 50, 100, 200])
        let (a, b) = (scale.position(200) - scale.position(20), scale.position(100) - scale.position(20))
        #expect(abs(b / a - log10(5)) < 1e-9)
        #expect(!Scale([2, 9], isLogarithmic: true).isLogarithmic)
        #expect(Scale([.nan, 5]).range.contains(5) && Scale([]).ticks.count > 1 && Scale([7, 7]).range.contains(7))
    }

    @Test(
        arguments: [true, false],
        [
            [1e308, 1e-308], [Double.greatestFiniteMagnitude, 20], [5e-324, 1], [-1e308, 1e308], [.infinity, 2, 9],
            [.greatestFiniteMagnitude], [-.greatestFiniteMagnitude, -1],
        ]) func anyNumbersHaveAnAxis(_ isLogarithmic: Bool, _ values: [Double])
    {
        let scale = Scale(values, isLogarithmic: isLogarithmic)
        #expect(scale.range.lowerBound.isFinite && scale.range.upperBound.isFinite && scale.ticks.count < 20)
        for value in values { #expect((0...1).contains(scale.position(value)), "\(value)") }
    }

    @Test func aRunThatFallsApartHasAReport() throws {
        var events = events().filter { if case .evaluated = $0 { false } else { true } }
        // exp(900) is no number.
        let evaluation = EvaluationMetrics(
            step: 10, epoch: 1, loss: 900, tokenAccuracy: 0, completionLoss: 900, tokens: 10, samples: 1, seconds: 1)
        events.insert(.evaluated(evaluation), at: events.count - 1)
        #expect(Report(try recorded(events), title: "apart", language: .english).html.contains("</html>"))
    }

    /// By what steps take, not by what was written beside them nor by how long the process has lived.
    @Test func theTimeLeftIsThatOfTheStepsToCome() throws {
        var goingOn = events().filter { event in
            switch event {
            case .step(let metrics): metrics.step <= 30
            case .evaluated(let metrics): metrics.step <= 30
            case .probed(let step, _): step <= 30
            case .started: true
            default: false
            }
        }
        let slow = CheckpointRecord(step: 20, kind: .regular, path: "model/checkpoint-20", seconds: 900)
        goingOn.append(.checkpointSaved(slow))
        // 30 steps of 0.5 s; an evaluation of 1 s and answers of 0.1 s were between 30.
        #expect(
            Report(try recorded(goingOn), title: "run", language: .english).html.contains("· 16 s · about 16 s left"))
    }

    @Test func ofManyAnswersSomeAreShown() throws {
        let answers = { (text: String) in
            [ProbeAnswer(question: "q", answer: text, isComplete: true, tokens: 1, seconds: 0.1)]
        }
        let many = (1...300).map { RunEvent.probed(step: $0, answers: answers("answer \($0);")) }
        let page = Report(try recorded(Array(events().prefix(1)) + many), title: "run", language: .english).html
        #expect(page.contains("answer 1;") && page.contains("answer 300;"))
        #expect(page.components(separatedBy: "<div class=\"answer\">").count == 25)
        #expect(page.contains("276 of 300 are omitted here"))
    }

    @Test func namesThatDifferAtTheirEndsDifferInALegend() throws {
        let run = try recorded(events())
        let names = (1...7).map { "socratic-dialogues-lr-1e-\($0)" }
        let page = Comparison(names.map { ($0, run) }, language: .english) { $0 }.body.text
        for number in 1...6 { #expect(page.contains("socrati…-lr-1e-\(number)")) }
        #expect(page.contains("first 6 runs"))
    }

    @Test func alertsInJapaneseHaveNoNamesOfVariables() throws {
        let alert = Alert(
            kind: .noBetterThanFrequencies, severity: .warning, startStep: 1, detectedStep: 2,
            message: "m", advice: "a", values: ["label_entropy": 3.359, "loss": 5.268])
        let page = Report(
            try recorded(Array(events().prefix(1)) + [.alertBegan(alert)]), title: "run", language: .japanese
        ).html
        #expect(page.contains("ラベルのエントロピー 3.359、損失 5.268"))
    }

    @Test func manyAlertsOfAKindAreOneThatUnfolds() throws {
        let alerts = (1...5).map { number in
            RunEvent.alertBegan(
                Alert(
                    kind: .lossSpike, severity: .warning, startStep: number, detectedStep: number,
                    message: "spike \(number).", advice: "a"))
        }
        let page = Report(try recorded(Array(events().prefix(1)) + alerts), title: "run", language: .english).html
        #expect(page.contains("4 more of this kind"))
        let (last, first) = (page.range(of: "spike 5."), page.range(of: "spike 1."))
        #expect(try #require(last).lowerBound < #require(first).lowerBound)
    }

    @Test func thinningKeepsSpikes() {
        var points = (0..<10_000).map { (x: Double($0), y: 1.0) }
        points[4321].y = 99
        let thin = Thinning.extremes(points)
        #expect(thin.count <= 480 && thin.contains { $0.x == 4321 && $0.y == 99 })
        #expect(zip(thin, thin.dropFirst()).allSatisfy { $0.x < $1.x })
        #expect(Thinning.means(points).count == 240)
    }

    @Test func ofWhatIsMeasuredTwiceAtAStepTheHighestIsDrawn() {
        let usages = [(1, 5), (1, 9), (1, 7), (2, 4)].map { ResourceUsage(step: $0.0, resident: $0.1, peakResident: 9) }
        let drawn = highest(usages) { Double($0.resident) }
        #expect(drawn.map(\.x) == [1, 2] && drawn.map(\.y) == [9, 4])
    }

    // MARK: A run

    private func recorded(_ events: [RunEvent]) throws -> RunRecord {
        let progress = folder.url.appending(path: "training_progress")
        try FileManager.default.createDirectory(at: progress, withIntermediateDirectories: true)
        let file = EventsFile(progress.appending(path: "events.jsonl"))
        for event in events { try file.observe(event) }
        return try RunRecord(folder.url)
    }

    private func events() -> [RunEvent] {
        var events: [RunEvent] = [
            .started(
                RunDescription(
                    model: "tiny", architecture: "llama", device: "cpu", dtype: "float32", trainSamples: 8,
                    evaluationSamples: 2, totalSteps: 60, stepsPerEpoch: 30, trainedParameters: 1, totalParameters: 4,
                    labelEntropy: 5.25))
        ]
        for step in 1...60 {
            events.append(
                .step(
                    StepMetrics(
                        step: step, epoch: Double(step) / 30, loss: 3 / Double(step) + 1, gradientNorm: 1,
                        learningRate: 1e-4, tokens: 100, labels: 90, seconds: 0.5)))
            guard step % 20 == 0 else { continue }
            events += [
                .evaluated(
                    EvaluationMetrics(
                        step: step, epoch: 1, loss: 1.5, tokenAccuracy: 0.5, completionLoss: nil, tokens: 20,
                        samples: 2, seconds: 1)),
                .resources(ResourceUsage(step: step, resident: step << 24, peakResident: 1 << 31)),
                .probed(
                    step: step,
                    answers: [
                        ProbeAnswer(
                            question: "勇気とは何ですか。", answer: "<img onerror=alert(1)>それはなぜですか?", isComplete: true,
                            tokens: 9, seconds: 0.1)
                    ]),
                .checkpointSaved(
                    CheckpointRecord(step: step, kind: .stable, path: "model/stable_checkpoint-\(step)", seconds: 0)),
            ]
        }
        events += [
            .checkpointRemoved(
                CheckpointRecord(step: 20, kind: .stable, path: "model/stable_checkpoint-20", seconds: 0)),
            .alertBegan(
                Alert(
                    kind: .overfitting, severity: .warning, startStep: 30, detectedStep: 40, message: "m", advice: "a")),
            .finished(RunOutcome(reason: .completed, step: 60, seconds: 33, observerSeconds: 0.1)),
        ]
        return events
    }
}
