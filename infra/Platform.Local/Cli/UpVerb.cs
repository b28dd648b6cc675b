using System.CommandLine;
using Platform.Local.Supervisor;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform up</c>: starts everything, follows the logs, stops everything on ctrl-c.</summary>
internal static class UpVerb
{
    public static Command Create()
    {
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Do not follow the logs (they are kept in the state folder all the same)" };
        var start = new PlatformStartOptions();
        var verb = ExampleHelp.Add(new Command("up", "Start the platform: every app of dapr.yaml with its own sidecar, and the Functions host. Ctrl-c stops it."), "platform up --port 8080 --home /mnt/nvme/platform");
        start.AddTo(verb);
        verb.Options.Add(quiet);
        verb.SetAction((command, cancellationToken) => RunAsync(start, command, command.GetValue(quiet), cancellationToken));
        return verb;
    }

    private static async Task<int> RunAsync(PlatformStartOptions start, ParseResult command, bool quiet, CancellationToken cancellationToken)
    {
        var options = start.Read(command, quiet ? (_, _) => { } : LogFollower.Write);
        await using (var platform = await LocalPlatform.StartAsync(options, cancellationToken))
        {
            AnsiConsole.Write(RunningTable.Of(platform));
            AnsiConsole.MarkupLineInterpolated($"Ready. State in [blue]{options.Home.Root}[/]. Try: platform infer -m MODEL \"Once upon a time\". Ctrl-c stops everything.");
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                AnsiConsole.MarkupLine("Stopping ...");
            }
        }

        AnsiConsole.MarkupLine("Stopped.");
        return ExitCodes.Done;
    }
}
