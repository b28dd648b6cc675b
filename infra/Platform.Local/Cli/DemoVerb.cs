using System.CommandLine;
using System.Text.Json;
using Platform.Local.Demo;

namespace Platform.Local.Cli;

/// <summary><c>platform demo</c>: the whole idea on this machine, step by step, each step checked.</summary>
internal static class DemoVerb
{
    public static Command Create()
    {
        var start = new PlatformStartOptions();
        var verb = ExampleHelp.Add(new Command("demo", "Start the platform on free ports, publish the demo model, stream a cold and a warm completion, run a batch job, kill a worker in the middle of another, stop everything. Exit code 0 only if every step did what it says. With --json the last line of standard output is one JSON object.") { CommonOptions.Json }, "platform demo --json");
        start.AddTo(verb);
        verb.SetAction(async (command, cancellationToken) =>
        {
            var json = command.GetValue(CommonOptions.Json);
            var options = start.Read(command, (_, _) => { }) with { AnyPorts = true };
            var report = await DemoRun.RunAsync(options, CommonOptions.ConsoleFor(json), cancellationToken);
            if (json)
            {
                Console.WriteLine(JsonSerializer.Serialize(report, DemoJson.Default.DemoReport));
            }

            return report.Ok ? ExitCodes.Done : ExitCodes.Failed;
        });
        return verb;
    }
}
