import ArgumentParser

/// Options of commands that train.
struct ConsoleLogOptions: ParsableArguments {
    @Flag(help: "Tell only of warnings, alerts and failures.") var quiet = false
    @Option(help: "text, or json: every event as a line of JSON on standard error.") var logFormat: ConsoleLog.Style =
        .text

    var log: ConsoleLog { ConsoleLog(style: logFormat, isQuiet: quiet, settingNames: .keys) }
}
