internal import Foundation
internal import MenoReporting

/// The part of a run's page by which it is steered, and what becomes of its forms.
struct DashboardControls: Sendable {
    /// Proves that a form is one of this dashboard's own pages: no other page can know it.
    private let token: String
    private let isReadOnly: Bool

    init(isReadOnly: Bool = false) {
        var generator = SystemRandomNumberGenerator()
        token = (0..<4).map { _ in String(format: "%016lx", UInt(generator.next() as UInt64)) }.joined()
        self.isReadOnly = isReadOnly
    }

    enum Result {
        case done
        /// The form is not one of this dashboard's.
        case forbidden
        /// The process that the form was for trains no more.
        case outOfDate
        case failed(String)
    }

    /// What a run is asked by a form.
    func act(_ request: RunRequest, form: [String: String], on run: URL, isRunning: Bool?) -> Result {
        guard !isReadOnly, Self.areEqual(form["token"] ?? "", token) else { return .forbidden }
        guard isRunning == true, let session = form["session"] else { return .outOfDate }
        do {
            return try RunControl(run).ask(request, session: session) ? .done : .outOfDate
        } catch {
            return .failed("\(error)")
        }
    }

    /// Changes when the controls of a run do.
    func stamp(of run: URL) -> String {
        let control = RunControl(run)
        let session = control.session
        return "\(session ?? "") \(control.pending(session: session)?.rawValue ?? "")"
    }

    func html(of run: URL, record: RunRecord, address: String, _ language: ReportLanguage) -> HTML {
        let text = { (english: String, japanese: String) in language == .japanese ? japanese : english }
        let answers: HTML =
            record.probes.count < 2
            ? ""
            : "<p><a href=\"\(address)/answers\">\(text("Compare the answers of two evaluations", "2回の評価の回答を並べる"))</a></p>"
        let control = RunControl(run)
        guard !isReadOnly, record.isRunning == true, let session = control.session else {
            return answers.isEmpty ? "" : "<section class=\"control\">\(answers)</section>"
        }
        switch control.pending(session: session) {
        case .stop:
            let note = text("The run was asked to stop. It ends after the current step.", "停止を依頼しました。実行中のステップの後に終わります。")
            return "<section class=\"control\"><p><strong>\(note)</strong></p>\(answers)</section>"
        case .checkpoint:
            let note = text(
                "A checkpoint was requested. It is saved after the current step.", "保存を依頼しました。実行中のステップの後に保存します。")
            return
                "<section class=\"control\"><p><strong>\(note)</strong></p>\(stop(address, session, text))\(answers)</section>"
        case nil:
            let save = form(
                address, .checkpoint, session, "<button>\(text("Save a checkpoint now", "今すぐチェックポイントを保存"))</button>")
            return "<section class=\"control\">\(save)\(stop(address, session, text))\(answers)</section>"
        }
    }

    private func stop(_ address: String, _ session: String, _ text: (String, String) -> String) -> HTML {
        let button: HTML = "<button class=\"bad\">\(text("Stop the run", "実行を停止"))</button>"
        let note = text(
            "It ends after the current step, with its result and a checkpoint to resume from.",
            "実行中のステップの後に、結果と再開用のチェックポイントを残して終わります。")
        return """
            <details data-key="stop"><summary>\(text("Stop the run…", "実行を停止…"))</summary><p>\(note)</p>\
            \(form(address, .stop, session, button))</details>
            """
    }

    private func form(_ address: String, _ request: RunRequest, _ session: String, _ button: HTML) -> HTML {
        """
        <form method="post" action="\(address)/\(request.rawValue)"><input type="hidden" name="token" value="\(token)">\
        <input type="hidden" name="session" value="\(session)">\(button)</form>
        """
    }

    /// Compares in a time that does not depend on where texts differ.
    private static func areEqual(_ a: String, _ b: String) -> Bool {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// The fields of `application/x-www-form-urlencoded`.
    static func fields(_ text: String) -> [String: String] {
        let pairs = text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                String($0).replacing("+", with: " ").removingPercentEncoding ?? ""
            }
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }
}
