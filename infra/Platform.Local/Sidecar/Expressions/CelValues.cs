using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Platform.Local.Sidecar.Expressions;

/// <summary>Operations on values. A missing member or a wrong type is an error, not false: the subset is strict where CEL is.</summary>
internal static class CelValues
{
    /// <summary>A JSON value as a plain one; objects stay as they are.</summary>
    public static object? Of(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Array => element.EnumerateArray().Select(Of).ToList(),
        JsonValueKind.Object => element,
        _ => null,
    };

    public static bool Bool(object? value) => value as bool? ?? throw Wrong(value, "a bool");

    public static double Number(object? value) => value as double? ?? throw Wrong(value, "a number");

    public static string Text(object? value) => value as string ?? throw Wrong(value, "a string");

    public static bool AreEqual(object? left, object? right) => (left, right) switch
    {
        (JsonElement a, JsonElement b) => JsonElement.DeepEquals(a, b),
        (List<object?> a, List<object?> b) => a.Count == b.Count && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        _ => Equals(left, right),
    };

    public static int Compare(object? left, object? right) => (left, right) switch
    {
        (double a, double b) => a.CompareTo(b),
        (string a, string b) => string.CompareOrdinal(a, b),
        (bool a, bool b) => a.CompareTo(b),
        _ => throw new CelException($"{Kind(left)} and {Kind(right)} have no order"),
    };

    public static bool IsIn(object? item, object? container) => container switch
    {
        List<object?> list => list.Exists(other => AreEqual(item, other)),
        JsonElement map => map.TryGetProperty(Text(item), out _),
        _ => throw Wrong(container, "a list or an object"),
    };

    public static object? Member(object? target, string name) => target is JsonElement map
        ? map.TryGetProperty(name, out var value) ? Of(value) : throw new CelException($"no such key: {name}")
        : throw Wrong(target, "an object");

    public static object? Index(object? target, object? index) => target switch
    {
        List<object?> list when index is double position && position >= 0 && position < list.Count => list[(int)position],
        List<object?> => throw new CelException("index out of range"),
        _ => Member(target, Text(index)),
    };

    /// <summary>True if the value can be had and is not null.</summary>
    public static bool Has(Func<object?> value)
    {
        try
        {
            value();
            return true;
        }
        catch (CelException)
        {
            return false;
        }
    }

    public static double Size(object? value) => value switch
    {
        string text => text.EnumerateRunes().Count(),
        List<object?> list => list.Count,
        JsonElement map => map.EnumerateObject().Count(),
        _ => throw Wrong(value, "a string, list or object"),
    };

    public static double ToNumber(object? value) => value switch
    {
        double number => number,
        string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => throw Wrong(value, "a number"),
    };

    public static string ToText(object? value) => value switch
    {
        string text => text,
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        bool flag => flag ? "true" : "false",
        _ => throw Wrong(value, "a string, number or bool"),
    };

    public static bool Matches(string text, string pattern)
    {
        try
        {
            return Regex.IsMatch(text, pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, TimeSpan.FromSeconds(1));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new CelException($"'{pattern}' is not a pattern: {e.Message}");
        }
    }

    private static CelException Wrong(object? value, string expected) => new($"found {Kind(value)}, expected {expected}");

    private static string Kind(object? value) => value switch
    {
        null => "null",
        bool => "a bool",
        double => "a number",
        string => "a string",
        JsonElement => "an object",
        _ => "a list",
    };
}
