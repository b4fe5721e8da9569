package import MenoData
package import MenoMetrics
package import MenoTokenizers

/// What loading and training report besides the events of a run. A console, an event stream or nothing can stand behind it.
package protocol SessionLog: Sendable {
    /// Something good to know, such as what is being loaded.
    func note(_ text: String)
    /// Something that is probably wrong and does not end the run.
    func warn(_ text: String)
    /// The first training example as the model sees it.
    /// - Parameter text: makes the text; not called where nobody looks at it.
    func preview(_ text: () -> String)
    /// How far something has come, for a line that is replaced by the next one.
    func progress(_ text: String)
    /// What follows a run besides its files.
    /// - Parameter showsProgress: whether a line that moves with every step is wanted.
    func observers(showsProgress: Bool) -> [any RunObserver]
    /// Called for a named model that has not been downloaded. Returns when its file is there.
    /// - Throws: where it cannot or should not be downloaded.
    func obtain(_ model: CatalogModel) throws
}

extension SessionLog {
    package func preview(_ text: () -> String) {}
    package func progress(_ text: String) {}
    package func observers(showsProgress: Bool) -> [any RunObserver] { [] }
    package func obtain(_ model: CatalogModel) throws { throw model.absence }

    /// What reading a data file found, with the first of the problems.
    /// - Parameter template: that dialogues were written by.
    package func data(_ report: DataReport, path: String, template: ChatTemplate?, limit: Int = 10) {
        note("\(path): \(report.summary)")
        if let template { note("dialogues are written by the chat template: \(template)") }
        for remark in report.remarks { warn(remark) }
        let leftOut = report.problems.filter { !$0.isUsed }
        for problem in leftOut.prefix(limit) { note("  \(problem.place) \(problem.reason)") }
        if report.skipped > limit { note("  … and \(report.skipped - limit) more") }
    }
}

/// Reports everything as events of a run.
struct EventLog: SessionLog {
    private let send: @Sendable (RunEvent) -> Void

    init(_ send: @escaping @Sendable (RunEvent) -> Void) { self.send = send }

    func note(_ text: String) { send(.notice(text)) }
    func warn(_ text: String) { send(.warning(text)) }
    func observers(showsProgress: Bool) -> [any RunObserver] { [Sender(send: send)] }

    private struct Sender: RunObserver {
        let send: @Sendable (RunEvent) -> Void

        func observe(_ event: RunEvent) { send(event) }
    }
}
