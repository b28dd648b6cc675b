using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Engines.Templates;

/// <summary>The chat template that a model brings along in <c>tokenizer_config.json</c>.</summary>
internal sealed class FileChatTemplate : ChatTemplate
{
    private readonly JinjaTemplate _template;
    private readonly string _begin;
    private readonly string _end;
    private readonly bool _tokenizerBegins;

    private FileChatTemplate(JinjaTemplate template, string begin, string end, Tokenizer tokenizer)
    {
        (_template, _begin, _end) = (template, begin, end);

        // The tokenizer may put the first token there itself; twice is not what the model was trained on.
        _tokenizerBegins = begin.Length > 0 && tokenizer.IdOf(begin) is { } id && tokenizer.Encode("x") is [var first, ..] && first == id;
    }

    public override string Name => "tokenizer_config.json";

    /// <summary>Reads the file; null if it has no template, or one that uses what is not interpreted here, with the reason.</summary>
    public static FileChatTemplate? TryRead(ReadOnlyMemory<byte> json, Tokenizer tokenizer, out string? reason)
    {
        reason = null;
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object || SourceOf(document.RootElement) is not { } source)
            {
                return null;
            }

            var template = new FileChatTemplate(new JinjaTemplate(source), TokenOf(document.RootElement, "bos_token"), TokenOf(document.RootElement, "eos_token"), tokenizer);

            // What is not interpreted shows here, and not in front of a caller.
            _ = template.RenderCore([new ChatMessage("user", "a"), new ChatMessage("assistant", "b"), new ChatMessage("user", "c")]);
            return template;
        }
        catch (Exception fault) when (fault is JsonException or TemplateException or InvalidOperationException or KeyNotFoundException)
        {
            reason = fault.Message;
            return null;
        }
    }

    public override IReadOnlyList<int> EndTokens(Tokenizer tokenizer) => _end.Length > 0 && tokenizer.IdOf(_end) is { } id ? [id] : [];

    public override string Render(IEnumerable<ChatMessage> messages)
    {
        try
        {
            return RenderCore([.. messages]);
        }
        catch (TemplateException fault)
        {
            throw new EngineException(ErrorCodes.InvalidRequest, fault.IsRefusal
                ? $"The model's chat template refuses these messages: {fault.Message}"
                : $"The model's chat template cannot be rendered for these messages: {fault.Message}. Send a completion with the prompt written out.", fault);
        }
    }

    private string RenderCore(IReadOnlyList<ChatMessage> messages)
    {
        var text = _template.Render(
        [
            new("messages", messages.Select(static message => (object?)new Dictionary<string, object?>(StringComparer.Ordinal) { ["role"] = message.Role, ["content"] = message.Content }).ToList()),
            new("add_generation_prompt", true),
            new("bos_token", _begin),
            new("eos_token", _end),
        ]);
        return _tokenizerBegins && text.StartsWith(_begin, StringComparison.Ordinal) ? text[_begin.Length..] : text;
    }

    private static string? SourceOf(JsonElement root)
    {
        if (!root.TryGetProperty("chat_template", out var template))
        {
            return null;
        }

        if (template.ValueKind != JsonValueKind.Array)
        {
            return template.GetString();
        }

        // Several by name; the one for plain chats is called default.
        return template.EnumerateArray().Where(static entry => entry.TryGetProperty("name", out var name) && name.GetString() == "default").Select(static entry => entry.GetProperty("template").GetString()).FirstOrDefault();
    }

    private static string TokenOf(JsonElement root, string name) => !root.TryGetProperty(name, out var token) ? ""
        : token.ValueKind == JsonValueKind.Object ? token.GetProperty("content").GetString() ?? ""
        : token.GetString() ?? "";
}
