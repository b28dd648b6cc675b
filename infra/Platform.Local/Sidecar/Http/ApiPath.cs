using System.Globalization;
using System.Text;

namespace Platform.Local.Sidecar.Http;

/// <summary>A request's path as daprd reads it: empty segments are dropped, parameters are decoded as form values.</summary>
internal sealed class ApiPath
{
    private readonly string[] _raw;

    private ApiPath(string[] raw, string query)
    {
        _raw = raw;
        Query = query;
    }

    /// <summary>Number of segments.</summary>
    public int Count => _raw.Length;

    /// <summary>The query with its question mark; empty if there is none or nothing behind the mark.</summary>
    public string Query { get; }

    /// <summary>A segment as it came.</summary>
    public string Raw(int index) => _raw[index];

    /// <summary>True if the segment at <paramref name="index"/> is this word.</summary>
    public bool Is(int index, string word) => index < _raw.Length && string.Equals(_raw[index], word, StringComparison.Ordinal);

    /// <summary>A parameter: <c>%2F</c> is a slash, a plus is a space.</summary>
    public string Parameter(int index) => Decode(_raw[index].Replace('+', ' '));

    /// <summary>Everything from a segment on, decoded as a path; empty if there is nothing.</summary>
    public string Rest(int index) => index >= _raw.Length ? "" : Decode(string.Join('/', _raw, index, _raw.Length - index));

    public static ApiPath Parse(string target)
    {
        if (!target.StartsWith('/') && Uri.TryCreate(target, UriKind.Absolute, out var absolute))
        {
            target = absolute.PathAndQuery;
        }

        var mark = target.IndexOf('?', StringComparison.Ordinal);
        var path = mark < 0 ? target : target[..mark];
        var query = mark < 0 || mark == target.Length - 1 ? "" : target[mark..];
        return new ApiPath(path.Split('/', StringSplitOptions.RemoveEmptyEntries), query);
    }

    private static string Decode(string text) => text.Contains('%', StringComparison.Ordinal) ? Encoding.UTF8.GetString(Unescape(text)) : text;

    private static byte[] Unescape(string text)
    {
        var bytes = new List<byte>(text.Length);
        var source = Encoding.UTF8.GetBytes(text);
        for (var i = 0; i < source.Length; i++)
        {
            if (source[i] == '%')
            {
                if (i + 2 >= source.Length || !byte.TryParse(source.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                {
                    throw new DaprErrorException(400, "ERR_BAD_REQUEST", $"invalid URL escape in '{text}'");
                }

                bytes.Add(value);
                i += 2;
            }
            else
            {
                bytes.Add(source[i]);
            }
        }

        return [.. bytes];
    }
}
