using System.Text;

namespace Platform.Worker.Engines.Tokenizers;

/// <summary>Turns tokens into text as they come: whole characters only, and nothing that may yet become a stop string.</summary>
internal sealed class TextStream(Tokenizer tokenizer, IReadOnlyList<string> stops)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _held = new();

    /// <summary>True once a stop string appeared; the text ended before it.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Adds a token and returns the text that became certain with it.</summary>
    public string Add(int id) => Take(tokenizer.BytesOf(id), last: false);

    /// <summary>Returns what was held back when no more tokens come.</summary>
    public string Finish() => Take([], last: true);

    private string Take(ReadOnlySpan<byte> bytes, bool last)
    {
        if (Stopped)
        {
            return "";
        }

        Span<char> characters = stackalloc char[128];
        do
        {
            _decoder.Convert(bytes, characters, last, out var bytesUsed, out var charactersUsed, out var completed);
            _held.Append(characters[..charactersUsed]);
            bytes = bytes[bytesUsed..];
            if (completed)
            {
                break;
            }
        }
        while (true);

        var text = _held.ToString();
        var certain = text.Length;
        foreach (var stop in stops)
        {
            var at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (!Stopped || at < certain))
            {
                certain = at;
                Stopped = true;
            }
        }

        if (!Stopped && !last)
        {
            certain = stops.Aggregate(text.Length, (least, stop) => Math.Min(least, BeginningOf(stop, text)));
        }

        _held.Remove(0, certain);
        return text[..certain];
    }

    /// <summary>Where the text's end might be the beginning of <paramref name="stop"/>.</summary>
    private static int BeginningOf(string stop, string text)
    {
        for (var at = Math.Max(0, text.Length - stop.Length + 1); at < text.Length; at++)
        {
            if (stop.StartsWith(text.AsSpan(at)))
            {
                return at;
            }
        }

        return text.Length;
    }
}
