using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Platform.Worker.Engines.Tokenizers;

/// <summary>Cuts text into the words within which a byte-level tokenizer merges.</summary>
/// <remarks>The patterns of the large model families are cut by hand, by code points; any other pattern runs as a .NET regular expression, which sees characters beyond the BMP as two.</remarks>
internal abstract class WordSplitter
{
    /// <summary>GPT-2's pattern, which a <c>ByteLevel</c> pre-tokenizer uses unless told otherwise.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3's pattern.</summary>
    public const string Llama3Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Qwen 2's pattern.</summary>
    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The whole text as one word.</summary>
    public static WordSplitter None { get; } = new WholeText();

    /// <summary>The splitter for a pattern.</summary>
    /// <exception cref="EngineException">The pattern is no regular expression.</exception>
    public static WordSplitter For(string pattern) => pattern switch
    {
        Gpt2Pattern => new Gpt2(),
        Llama3Pattern => new Tiktoken(3),
        Qwen2Pattern => new Tiktoken(1),
        _ => new AnyPattern(pattern),
    };

    /// <summary>Adds the end of every word, in order; the last is the end of the text. Words are never empty.</summary>
    public abstract void Split(string text, List<int> ends);

    private enum Kind
    {
        End,
        Letter,
        Number,
        Space,
        Other,
    }

    private static Kind KindAt(string text, int index, out int length)
    {
        length = 0;
        if (index >= text.Length)
        {
            return Kind.End;
        }

        if (Rune.DecodeFromUtf16(text.AsSpan(index), out var rune, out length) != System.Buffers.OperationStatus.Done)
        {
            length = 1;
            return Kind.Other;
        }

        if (Rune.IsWhiteSpace(rune))
        {
            return Kind.Space;
        }

        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        };
    }

    private static int SkipAll(string text, int index, Kind kind)
    {
        while (KindAt(text, index, out var length) == kind)
        {
            index += length;
        }

        return index;
    }

    /// <summary>Length of a contraction ('s, 't, 're, 've, 'm, 'll, 'd) at the index; 0 if there is none.</summary>
    private static int ContractionAt(string text, int index, StringComparison comparison)
    {
        if (text[index] != '\'')
        {
            return 0;
        }

        var rest = text.AsSpan(index + 1);
        foreach (var ending in (ReadOnlySpan<string>)["s", "t", "re", "ve", "m", "ll", "d"])
        {
            if (rest.StartsWith(ending, comparison))
            {
                return 1 + ending.Length;
            }
        }

        // U+017F, the long s, equals s when case is ignored.
        return comparison == StringComparison.OrdinalIgnoreCase && rest.StartsWith("\u017f") ? 2 : 0;
    }

    /// <summary><c>\s+(?!\S)|\s+</c>: white space, but its last character is left to the word that follows.</summary>
    private static int EndOfSpace(string text, int index)
    {
        var end = SkipAll(text, index, Kind.Space);
        // All white space is in the BMP, so its last character is one unit.
        return end < text.Length && end - index > 1 ? end - 1 : end;
    }

    private sealed class WholeText : WordSplitter
    {
        public override void Split(string text, List<int> ends)
        {
            if (text.Length > 0)
            {
                ends.Add(text.Length);
            }
        }
    }

    private sealed class Gpt2 : WordSplitter
    {
        public override void Split(string text, List<int> ends)
        {
            for (var index = 0; index < text.Length;)
            {
                index = EndOfWord(text, index);
                ends.Add(index);
            }
        }

        private static int EndOfWord(string text, int index)
        {
            var contraction = ContractionAt(text, index, StringComparison.Ordinal);
            if (contraction > 0)
            {
                return index + contraction;
            }

            var start = text[index] == ' ' ? index + 1 : index;
            var kind = KindAt(text, start, out _);
            return kind is Kind.Letter or Kind.Number or Kind.Other ? SkipAll(text, start, kind) : EndOfSpace(text, index);
        }
    }

    private sealed class Tiktoken(int digitsPerWord) : WordSplitter
    {
        public override void Split(string text, List<int> ends)
        {
            for (var index = 0; index < text.Length;)
            {
                index = EndOfWord(text, index);
                ends.Add(index);
            }
        }

        private int EndOfWord(string text, int index)
        {
            var contraction = ContractionAt(text, index, StringComparison.OrdinalIgnoreCase);
            if (contraction > 0)
            {
                return index + contraction;
            }

            var kind = KindAt(text, index, out var length);
            if (kind == Kind.Letter)
            {
                return SkipAll(text, index, Kind.Letter);
            }

            if (kind != Kind.Number && text[index] is not ('\r' or '\n') && KindAt(text, index + length, out _) == Kind.Letter)
            {
                return SkipAll(text, index + length, Kind.Letter);
            }

            if (kind == Kind.Number)
            {
                return EndOfNumber(text, index);
            }

            var start = text[index] == ' ' ? index + 1 : index;
            if (KindAt(text, start, out _) == Kind.Other)
            {
                var end = SkipAll(text, start, Kind.Other);
                while (end < text.Length && text[end] is '\r' or '\n')
                {
                    end++;
                }

                return end;
            }

            return EndOfLines(text, index) is var lines and > 0 ? lines : EndOfSpace(text, index);
        }

        private int EndOfNumber(string text, int index)
        {
            for (var count = 0; count < digitsPerWord && KindAt(text, index, out var length) == Kind.Number; count++)
            {
                index += length;
            }

            return index;
        }

        /// <summary><c>\s*[\r\n]+</c>: white space up to and with its last line break; 0 if it has none.</summary>
        private static int EndOfLines(string text, int index)
        {
            var end = SkipAll(text, index, Kind.Space);
            var last = text.AsSpan(index, end - index).LastIndexOfAny('\r', '\n');
            return last < 0 ? 0 : index + last + 1;
        }
    }

    private sealed class AnyPattern : WordSplitter
    {
        private readonly Regex _regex;

        public AnyPattern(string pattern)
        {
            try
            {
                _regex = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(2));
            }
            catch (ArgumentException error)
            {
                throw new EngineException(Platform.Jobs.ErrorCodes.ModelInvalid, $"tokenizer.json: the pre-tokenizer's pattern '{pattern}' is no regular expression: {error.Message}", error);
            }
        }

        public override void Split(string text, List<int> ends)
        {
            var end = 0;
            foreach (var match in _regex.EnumerateMatches(text))
            {
                if (match.Index > end)
                {
                    ends.Add(match.Index);
                }

                end = match.Index + match.Length;
                if (match.Length > 0)
                {
                    ends.Add(end);
                }
            }

            if (end < text.Length)
            {
                ends.Add(text.Length);
            }
        }
    }
}
