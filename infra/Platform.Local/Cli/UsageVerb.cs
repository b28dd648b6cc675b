using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform usage</c>: where the time of jobs went, and what it cost.</summary>
internal static class UsageVerb
{
    public static Command Create()
    {
        var by = new Option<string>("--by") { Description = "function, model, tenant or kind", DefaultValueFactory = _ => UsageKeys.Kind };
        by.AcceptOnlyFromAmong([.. UsageKeys.All]);
        var since = CommonOptions.Since("Only jobs submitted on this day (UTC) or later");
        var verb = ExampleHelp.Add(new Command("usage", "Sum up the time and cost of jobs. Functions and tenants are the jobs' labels of these names.") { by, since, CommonOptions.Json }, "platform usage --by tenant --since 2026-01-01");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var usage = await client.GetUsageAsync(command.GetValue(by)!, command.GetValue(since), cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(usage, JobsJson.Default.UsageTable));
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns(usage.By, "jobs", "attempts", "queued", "staging", "loading", "busy", "idle-warm", "cost", "tokens");
            foreach (var row in usage.Rows.Append(new UsageRow("all", usage.Total)))
            {
                var totals = row.Totals;
                table.AddRow(
                    Markup.Escape(row.Key.Length == 0 ? "(none)" : row.Key),
                    totals.Jobs.ToString(CultureInfo.InvariantCulture),
                    totals.Attempts.ToString(CultureInfo.InvariantCulture),
                    Seconds(totals.QueuedMs),
                    Seconds(totals.StagingMs),
                    Seconds(totals.LoadingMs),
                    Seconds(totals.BusyMs),
                    Seconds(totals.IdleWarmMs),
                    (totals.CostMicros / 1e6m).ToString("0.000000", CultureInfo.InvariantCulture),
                    totals.Tokens.ToString(CultureInfo.InvariantCulture));
            }

            AnsiConsole.Write(table);
            return ExitCodes.Done;
        });
        return verb;
    }

    private static string Seconds(long milliseconds) => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000.0:0.000} s");
}
