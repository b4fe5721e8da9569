import Foundation
import MenoData

/// Standard error: progress and remarks. Results go to standard output.
enum Console {
    static func note(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    /// What reading a data file found, with the first of the problems.
    static func data(_ report: DataReport, path: String, limit: Int = 10) {
        note("\(path): \(report.summary)")
        let leftOut = report.problems.filter { !$0.isUsed }
        for problem in leftOut.prefix(limit) { note("  \(problem.place) \(problem.reason)") }
        if leftOut.count > limit { note("  … and \(leftOut.count - limit) more") }
    }
}
