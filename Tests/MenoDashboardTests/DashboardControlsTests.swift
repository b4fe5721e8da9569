import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoDashboard
@testable import MenoReporting

@Suite struct DashboardControlsTests {
    private let folder: TemporaryFolder
    private let run: URL

    init() throws {
        folder = try TemporaryFolder()
        run = folder.url.appending(path: "a")
        let progress = run.appending(path: "training_progress")
        try FileManager.default.createDirectory(at: progress, withIntermediateDirectories: true)
        let answers = { (text: String) in
            ["Why?", "How?"].map { question in
                ProbeAnswer(
                    question: question, answer: "\(text) <\(question)>", isComplete: true, tokens: 3, seconds: 1)
            }
        }
        let events = [2, 4, 6].map { RunEvent.probed(step: $0, answers: answers("answer of \($0)")) }
        let start = RunEvent.started(
            RunDescription(
                model: "m", architecture: "llama", device: "cpu", dtype: "float32", trainSamples: 1,
                evaluationSamples: 1,
                totalSteps: 9, stepsPerEpoch: 3, trainedParameters: 1, totalParameters: 2))
        let lines = try ([start] + events).map {
            String(decoding: try JSONEncoder.reproducible().encode($0), as: UTF8.self)
        }
        try lines.joined(separator: "\n").write(
            to: progress.appending(path: "events.jsonl"), atomically: true, encoding: .utf8)
    }

    private func pages(isRunning: Bool? = true, isReadOnly: Bool = false) -> DashboardPages {
        let catalog = RunCatalog(folder.url)
        return DashboardPages(
            catalog: catalog, cache: RunCache(catalog, isRunning: { _ in isRunning }) { _ in .init() },
            language: .english,
            controls: DashboardControls(isReadOnly: isReadOnly))
    }

    private struct Missing: Error {}

    private func body(_ pages: DashboardPages) async throws -> String {
        guard case .fragment(let body) = await pages.page(["runs", "a", "body"], nonce: "") else { throw Missing() }
        return body
    }

    private func form(_ body: String) throws -> [String: String] {
        var form: [String: String] = [:]
        for match in body.matches(of: /name="(token|session)" value="([^"]*)"/) {
            form[String(match.1)] = String(match.2)
        }
        return form
    }

    @Test func onlyARunThatGoesOnHasButtons() async throws {
        #expect(try await !body(pages()).contains("<form method=\"post\""))
        let policy = RequestPolicy(run)
        #expect(try await body(pages()).contains("Stop the run"))
        #expect(try await !body(pages(isRunning: false)).contains("<form method=\"post\""))
        #expect(try await !body(pages(isRunning: nil)).contains("<form method=\"post\""))
        #expect(try await !body(pages(isReadOnly: true)).contains("<form method=\"post\""))
        withExtendedLifetime(policy) {}
    }

    @Test func aRequestReachesTheProcessThatItIsFor() async throws {
        let policy = RequestPolicy(run)
        let pages = pages()
        let form = try form(await body(pages))
        guard case .updates(let stamp) = await pages.page(["runs", "a", "updates"], nonce: "") else { throw Missing() }
        let before = await stamp()
        guard case .redirect("/runs/a") = await pages.act(["runs", "a", "checkpoint"], form: form) else {
            throw Missing()
        }
        #expect(await stamp() != before)
        #expect(try await body(pages).contains("A checkpoint was requested"))
        // It is done once, after a step.
        let step = RunEvent.step(
            StepMetrics(step: 1, epoch: 1, loss: 1, gradientNorm: 1, learningRate: 1, tokens: 1, labels: 1, seconds: 1))
        #expect(policy.decisions(after: .notice("")).isEmpty)
        #expect(policy.decisions(after: step).contains(.saveCheckpoint))
        #expect(policy.decisions(after: step).isEmpty)
        _ = await pages.act(["runs", "a", "stop"], form: form)
        #expect(try await body(pages).contains("was asked to stop"))
        #expect(policy.decisions(after: step).contains { if case .stop = $0 { true } else { false } })
    }

    /// What was asked of a process that is gone must not end the one that resumes the run.
    @Test func aRequestForAnotherProcessIsDropped() async throws {
        var first: RequestPolicy? = RequestPolicy(run)
        let pages = pages()
        let form = try form(await body(pages))
        _ = await pages.act(["runs", "a", "stop"], form: form)
        let request = try Data(contentsOf: run.appending(path: "control_request.json"))
        withExtendedLifetime(first) {}
        first = nil
        let second = RequestPolicy(run)
        try request.write(to: run.appending(path: "control_request.json"))
        let step = RunEvent.step(
            StepMetrics(step: 1, epoch: 1, loss: 1, gradientNorm: 1, learningRate: 1, tokens: 1, labels: 1, seconds: 1))
        #expect(second.decisions(after: step).isEmpty)
        guard case .refused(409, _) = await pages.act(["runs", "a", "stop"], form: form) else { throw Missing() }
        for text in ["", "{", #"{"session": 1}"#, String(repeating: "x", count: 100_000)] {
            try Data(text.utf8).write(to: run.appending(path: "control_request.json"))
            #expect(second.decisions(after: step).isEmpty)
        }
    }

    @Test func formsOfOtherPagesAreRefused() async throws {
        let policy = RequestPolicy(run)
        let pages = pages()
        var form = try form(await body(pages))
        // The token of another dashboard.
        form["token"] = try self.form(await body(self.pages()))["token"]
        guard case .refused(403, _) = await pages.act(["runs", "a", "stop"], form: form) else { throw Missing() }
        guard case .refused(403, _) = await pages.act(["runs", "a", "stop"], form: [:]) else { throw Missing() }
        guard case .notFound = await pages.act(["runs", "..", "stop"], form: form) else { throw Missing() }
        guard case .notFound = await pages.act(["runs", "a", "body"], form: form) else { throw Missing() }
        #expect(!FileManager.default.fileExists(atPath: run.appending(path: "control_request.json").path))
        withExtendedLifetime(policy) {}
    }

    @Test func answersStandBesideEachOther() async throws {
        let pages = pages()
        guard case .page(let html) = await pages.page(["runs", "a", "answers"], nonce: "") else { throw Missing() }
        #expect(html.contains("answer of 2 &lt;Why?&gt;") && html.contains("answer of 6 &lt;How?&gt;"))
        #expect(!html.contains("answer of 4"))
        guard
            case .page(let other) = await pages.page(
                ["runs", "a", "answers"], query: ["left": "4", "right": "99"], nonce: "")
        else { throw Missing() }
        #expect(other.contains("answer of 4") && other.contains("answer of 6") && !other.contains("answer of 2"))
        #expect(other.contains("<option value=\"4\" selected>"))
        #expect(try await body(pages).contains("/runs/a/answers"))
    }

    @Test func fieldsOfAForm() {
        #expect(DashboardControls.fields("a=1&b=%3D+%26&c&=d") == ["a": "1", "b": "= &", "c": "", "": "d"])
    }
}
