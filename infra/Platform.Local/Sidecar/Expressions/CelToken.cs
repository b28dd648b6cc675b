using System.Globalization;
using System.Text;

namespace Platform.Local.Sidecar.Expressions;

internal enum CelTokenKind
{
    End,
    Name,
    Text,
    Number,
    Symbol,
}

/// <summary>A word of an expression.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Word">Name, symbol, or the characters of a text.</param>
/// <param name="Value">Value of a number.</param>
/// <param name="At">Where it begins, from 1.</param>
internal readonly record struct CelToken(CelTokenKind Kind, string Word, double Value, int At)
{
    private static readonly string[] Symbols = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", ".", "-", "+", "*", "/", "%"];

    /// <summary>Splits an expression into its words.</summary>
    /// <exception cref="CelException">A character belongs to none.</exception>
    public static List<CelToken> Split(string text)
    {
        var tokens = new List<CelToken>();
        for (var i = 0; i < text.Length;)
        {
            var c = text[i];
            if (char.IsWhiteSpace(c))
            {
                i++;
            }
            else if (char.IsAsciiLetter(c) || c == '_')
            {
                var begin = i;
                while (i < text.Length && (char.IsAsciiLetterOrDigit(text[i]) || text[i] == '_'))
                {
                    i++;
                }

                tokens.Add(new CelToken(CelTokenKind.Name, text[begin..i], 0, begin + 1));
            }
            else if (char.IsAsciiDigit(c))
            {
                var begin = i;
                while (i < text.Length && (char.IsAsciiDigit(text[i]) || (text[i] == '.' && i + 1 < text.Length && char.IsAsciiDigit(text[i + 1]))))
                {
                    i++;
                }

                tokens.Add(new CelToken(CelTokenKind.Number, text[begin..i], double.Parse(text.AsSpan(begin, i - begin), CultureInfo.InvariantCulture), begin + 1));
            }
            else if (c is '"' or '\'')
            {
                var begin = i;
                tokens.Add(new CelToken(CelTokenKind.Text, ReadText(text, ref i), 0, begin + 1));
            }
            else
            {
                var symbol = Array.Find(Symbols, symbol => text.AsSpan(i).StartsWith(symbol)) ?? throw new CelException($"character {i + 1}: '{c}' is not supported");
                tokens.Add(new CelToken(CelTokenKind.Symbol, symbol, 0, i + 1));
                i += symbol.Length;
            }
        }

        tokens.Add(new CelToken(CelTokenKind.End, "the end", 0, text.Length + 1));
        return tokens;
    }

    private static string ReadText(string text, ref int i)
    {
        var begin = i + 1;
        var quote = text[i++];
        var result = new StringBuilder();
        while (i < text.Length && text[i] != quote)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
            {
                i++;
                result.Append(text[i] switch
                {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '\\' or '"' or '\'' => text[i],
                    var other => throw new CelException($"character {i}: escape '\\{other}' is not supported"),
                });
            }
            else
            {
                result.Append(text[i]);
            }

            i++;
        }

        if (i++ >= text.Length)
        {
            throw new CelException($"character {begin}: the text does not end");
        }

        return result.ToString();
    }
}
