import Foundation
import MenoTesting
import Testing

/// Tokenizer and template travel with what was trained.
@Suite(.serialized) struct SavedTokenizerTests {
    private let tiny: TinyModel
    /// The model has no turn markers and brings no template.
    private let template = "{% for m in messages %}{{ m.role }} says {{ m.content }},{% endfor %}"
    private var file: URL { tiny.folder.url.appending(path: "mine.jinja") }

    init() throws {
        tiny = try TinyModel()
        try template.write(to: file, atomically: true, encoding: .utf8)
        let lines = (0..<40).map { line in
            #"{"messages":[{"role":"user","content":"what is \#(["virtue", "it"][line % 2])?"},"#
                + #"{"role":"assistant","content":"ask again"}]}"#
        }
        try lines.joined(separator: "\n").write(to: tiny.data, atomically: true, encoding: .utf8)
    }

    private func train(_ arguments: [String] = [], lora: String = "{r: 2, target_modules: all-linear}") throws {
        let trained = try tiny.train(
            "max_steps: 2, save_steps: 2, bf16: false", lora: lora, ["--set", "data.max_length=96"] + arguments)
        #expect(trained.status == 0, "\(trained.errors)")
    }

    private func loss(_ arguments: [String]) throws -> (loss: Double, errors: String) {
        let result = try meno(
            ["evaluate", "--data", tiny.data.path, "--dtype", "float32", "--json"] + arguments, threads: 1)
        #expect(result.status == 0, "\(result.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        return (try #require(object?["loss"] as? Double), result.errors)
    }

    @Test func anAdapterIsUsedWithTheTemplateItWasTrainedWith() throws {
        try train(["--set", "data.chat_template=\(file.path)"])
        let model = tiny.run.appending(path: "model")
        for folder in [model, model.appending(path: "checkpoint-2")] {
            let saved = { (name: String) in try Data(contentsOf: folder.appending(path: name)) }
            #expect(try saved("chat_template.jinja") == Data(template.utf8))
            #expect(try saved("tokenizer.json") == Data(contentsOf: tiny.model.appending(path: "tokenizer.json")))
            #expect(try String(decoding: saved("tokenizer_config.json"), as: UTF8.self).contains("<bos>"))
            // The Hugging Face id of a folder is its path, wherever the command ran.
            #expect(
                try String(decoding: saved("adapter_config.json"), as: UTF8.self).contains("\"\(tiny.model.path)\""))
        }
        let manifest = try String(contentsOf: model.appending(path: "checkpoint-2/manifest.json"), encoding: .utf8)
        for name in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"] {
            #expect(manifest.contains("\"\(name)\""))
        }
        let base = ["--model", tiny.model.path]
        // The model alone has no template for these records.
        let alone = try meno(["evaluate", "--data", tiny.data.path] + base)
        #expect(alone.status == 65, "\(alone.errors)")
        let automatic = try loss(base + ["--adapter", model.path])
        let named = try loss(base + ["--adapter", model.path, "--chat-template", file.path])
        #expect(automatic.loss == named.loss && !named.errors.contains("another chat template"))
        let other = tiny.folder.url.appending(path: "other.jinja")
        try "{% for m in messages %}{{ m.content }}?{% endfor %}".write(to: other, atomically: true, encoding: .utf8)
        let different = try loss(base + ["--adapter", model.path, "--chat-template", other.path])
        #expect(different.loss != automatic.loss && different.errors.contains("trained with another chat template"))
        // The same template in other words is no other template.
        try "{% for message in messages %}{{ message['role'] + ' says ' + message['content'] }},{% endfor %}"
            .write(to: other, atomically: true, encoding: .utf8)
        #expect(
            try !loss(base + ["--adapter", model.path, "--chat-template", other.path]).errors.contains(
                "another chat template"))
        let chat = try meno(["chat", "--prompt", "what", "--max-new-tokens", "3", "--adapter", model.path] + base)
        #expect(chat.status == 0, "\(chat.errors)")
        // Training that begins with the adapter keeps its template, too.
        let second = tiny.folder.url.appending(path: "second")
        try train(["--set", "base_output_dir=\(second.path)"], lora: "{init_adapter: \(model.path)}")
        let text = try String(contentsOf: second.appending(path: "model/chat_template.jinja"), encoding: .utf8)
        #expect(text == template)
    }

    /// Tokens that are no text may be others than the model's: those beside the adapter count.
    @Test func anAdaptersOwnTokenizerIsUsed() throws {
        try train(["--set", "data.chat_template=\(file.path)"])
        let model = tiny.run.appending(path: "model")
        let arguments = ["--model", tiny.model.path, "--adapter", model.path]
        let before = try loss(arguments)
        let tokenizer = model.appending(path: "tokenizer.json")
        let text = try String(contentsOf: tokenizer, encoding: .utf8)
        // Every `a` is read as a `z` now.
        var object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        object["normalizer"] = ["type": "Replace", "pattern": ["String": "a"], "content": "z"] as [String: Any]
        try JSONSerialization.data(withJSONObject: object).write(to: tokenizer)
        #expect(try loss(arguments).loss != before.loss)
        // One that cannot be read is not fatal: the model has one too.
        try Data(#"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#.utf8).write(to: tokenizer)
        let fallback = try loss(arguments)
        #expect(fallback.loss == before.loss && fallback.errors.contains("the model's own tokenizer is used"))
    }

    @Test func aFullyTunedModelHasTheTemplateItWasTrainedWith() throws {
        try "{{ messages[0].content }}".write(
            to: tiny.model.appending(path: "chat_template.jinja"), atomically: true, encoding: .utf8)
        try train(["--set", "data.chat_template=\(file.path)"], lora: "null")
        let model = tiny.run.appending(path: "model")
        for folder in [model, model.appending(path: "checkpoint-2")] {
            #expect(try Data(contentsOf: folder.appending(path: "chat_template.jinja")) == Data(template.utf8))
        }
        let own = try loss(["--model", model.path])
        #expect(try own.loss == loss(["--model", model.path, "--chat-template", "tokenizer"]).loss)
        let other = tiny.folder.url.appending(path: "other.jinja")
        try "{% for m in messages %}{{ m.content }}?{% endfor %}".write(to: other, atomically: true, encoding: .utf8)
        let different = try loss(["--model", model.path, "--chat-template", other.path])
        #expect(different.errors.contains("brings another chat template"))
        // What an earlier run left is not delivered with the next.
        try "{\"text\": \"what is it\"}\n{\"text\": \"be again\"}".write(
            to: tiny.data, atomically: true, encoding: .utf8)
        try FileManager.default.removeItem(at: tiny.model.appending(path: "chat_template.jinja"))
        try train(["--overwrite"])
        #expect(!FileManager.default.fileExists(atPath: model.appending(path: "chat_template.jinja").path))
    }
}
