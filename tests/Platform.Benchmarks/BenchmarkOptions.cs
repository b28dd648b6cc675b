using System.CommandLine;

namespace Platform.Benchmarks;

/// <summary>Options that suites have in common.</summary>
internal static class BenchmarkOptions
{
    public static Option<bool> Json { get; } = new("--json") { Description = "One line of JSON per figure" };

    /// <summary>An option for some of <paramref name="names"/>, separated by commas. Without it the value is empty, which stands for all.</summary>
    public static Option<string[]> Only(string what, IReadOnlyList<string> names)
    {
        var option = new Option<string[]>("--only")
        {
            Description = $"Only these {what}, separated by commas: {string.Join(", ", names)}",
            DefaultValueFactory = _ => [],
            CustomParser = result => [.. result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))],
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string[]>()?.Except(names).ToList() is { Count: > 0 } unknown)
            {
                result.AddError($"--only names {string.Join(", ", unknown)}; there are {string.Join(", ", names)}.");
            }
        });
        return option;
    }

    /// <summary>An option for a count of at least one.</summary>
    public static Option<int> Count(string name, string description, int otherwise)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 1)
            {
                result.AddError($"{name} has {result.GetValueOrDefault<int>()}; expected at least 1.");
            }
        });
        return option;
    }

    /// <summary>The folder in which a suite makes its own.</summary>
    public static Option<string> Folder() => new("--folder") { Description = "Where to make the files that are measured, on the disk in question", DefaultValueFactory = _ => Path.GetTempPath() };
}
