using System.CommandLine;
using System.Globalization;
using Platform.Jobs;
using Platform.Local.Supervisor;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary>The options that every verb understands.</summary>
internal static class CommonOptions
{
    /// <summary>State folder.</summary>
    public static Option<string?> Home { get; } = new("--home")
    {
        Description = $"State folder (default: .platform; environment variable {HomeFolder.Variable})",
        Recursive = true,
    };

    /// <summary>Where the platform answers.</summary>
    public static Option<Uri?> Url { get; } = new("--url")
    {
        Description = "Address of the platform (default: that of the `platform up` on the state folder; environment variable PLATFORM_URL)",
        Recursive = true,
        CustomParser = static result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url))
            {
                return url;
            }

            result.AddError($"--url is '{result.Tokens[0].Value}'; expected an address such as http://127.0.0.1:7071.");
            return null;
        },
    };

    /// <summary>Machine-readable output.</summary>
    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON instead of tables" };

    /// <summary>An option <c>--since</c>: a time, UTC unless it says otherwise.</summary>
    public static Option<DateTimeOffset?> Since(string description) => new("--since")
    {
        Description = description + ", for example 2026-01-31 or 2026-01-31T08:00:00Z",
        CustomParser = static result =>
        {
            if (DateTimeOffset.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            {
                return time;
            }

            result.AddError($"--since is '{result.Tokens[0].Value}'; expected a time such as 2026-01-31 or 2026-01-31T08:00:00Z.");
            return null;
        },
    };

    /// <summary>The state folder that the command line names.</summary>
    public static HomeFolder HomeOf(ParseResult command) => HomeFolder.Resolve(command.GetValue(Home));

    /// <summary>A client of the platform that the command line names.</summary>
    /// <exception cref="PlatformException">None runs.</exception>
    public static PlatformClient Connect(ParseResult command)
    {
        var url = command.GetValue(Url);
        if (url is null && Environment.GetEnvironmentVariable("PLATFORM_URL") is { Length: > 0 } variable)
        {
            url = Uri.TryCreate(variable, UriKind.Absolute, out var parsed) ? parsed : throw new PlatformException($"PLATFORM_URL is '{variable}'; expected an address such as http://127.0.0.1:7071.", ExitCodes.Usage);
        }

        if (url is null)
        {
            var home = HomeOf(command);
            var run = RunFile.Read(home) ?? throw new PlatformException($"No platform runs on {home.Root}. Start one with `platform up`, or name one with --url.", ExitCodes.NotRunning);
            url = new Uri(run.Url ?? throw new PlatformException($"The platform on {home.Root} has no function app, and so no HTTP surface. Name another with --url.", ExitCodes.NotRunning));
        }

        return new PlatformClient(url, Environment.GetEnvironmentVariable("PLATFORM_KEY"));
    }

    /// <summary>Where people look while a program reads standard output: standard error with <c>--json</c>, else standard output.</summary>
    public static IAnsiConsole ConsoleFor(bool json) =>
        json ? Terminal.Error() : AnsiConsole.Console;
}
