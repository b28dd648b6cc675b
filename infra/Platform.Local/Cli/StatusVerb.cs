using System.CommandLine;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform status</c>: the nodes, what they hold and do.</summary>
internal static class StatusVerb
{
    public static Command Create()
    {
        var verb = ExampleHelp.Add(new Command("status", "Show the nodes: alive or not, memory, models, work in flight, NVMe tier.") { CommonOptions.Json }, "platform status --json");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine((await client.GetStatusAsync(cancellationToken)).ToJsonString());
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("node", "pid", "alive", "device", "memory free", "NVMe tier", "in flight", "jobs", "models");
            foreach (var (heartbeat, _, alive) in (await client.GetNodesAsync(cancellationToken)).Nodes)
            {
                table.AddRow(
                    heartbeat.Worker,
                    heartbeat.ProcessId.ToString(),
                    alive ? heartbeat.Draining ? "draining" : "yes" : "no",
                    Markup.Escape(heartbeat.Device),
                    $"{Quantity.Bytes(heartbeat.DeviceFreeBytes)} of {Quantity.Bytes(heartbeat.DeviceCapacityBytes)}",
                    $"{Quantity.Bytes(heartbeat.TierBytes)} of {Quantity.Bytes(heartbeat.TierLimitBytes)}",
                    heartbeat.InFlight.ToString(),
                    $"{heartbeat.RunningJobs} of {heartbeat.MaxJobs}",
                    Markup.Escape(string.Join(", ", heartbeat.Models.Select(model => $"{model.Key} ({model.Value.ToString().ToLowerInvariant()})"))));
            }

            AnsiConsole.Write(table);
            return ExitCodes.Done;
        });
        return verb;
    }
}
