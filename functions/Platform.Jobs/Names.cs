using System.Text.RegularExpressions;

namespace Platform.Jobs;

/// <summary>The only check of names that come from outside: model names and job ids. No path or URL is built from a name that has not passed.</summary>
public static partial class Names
{
    /// <summary>What a model name may be, for error messages.</summary>
    public const string ModelRule = "1 to 63 of a-z 0-9 . _ -, starting with a letter or digit, without '..'";

    /// <summary>What a job id may be, for error messages.</summary>
    public const string JobIdRule = "1 to 64 of A-Z a-z 0-9 _ -, starting with a letter or digit";

    /// <summary>True if <paramref name="name"/> may name a model.</summary>
    public static bool IsModel(string? name) =>
        name is not null && ModelPattern().IsMatch(name) && !name.Contains("..", StringComparison.Ordinal);

    /// <summary>True if <paramref name="id"/> may identify a job.</summary>
    public static bool IsJobId(string? id) => id is not null && JobIdPattern().IsMatch(id);

    /// <summary>A new job id: <c>job-</c> and 20 characters that sort by time of creation.</summary>
    public static string NewJobId() => "job-" + Guid.CreateVersion7().ToString("n")[..20];

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,62}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ModelPattern();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex JobIdPattern();
}
