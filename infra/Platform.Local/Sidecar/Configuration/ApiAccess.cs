using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Configuration;

/// <summary>Which parts of the HTTP API are open: <c>spec.api.allowed</c> and <c>denied</c>. A closed part behaves as if it were not there.</summary>
internal sealed class ApiAccess
{
    private static readonly string[] Names =
    [
        "actors", "bindings", "configuration", "conversation", "crypto", "healthz", "invoke", "jobs", "lock", "metadata", "publish", "secrets", "shutdown", "state", "subtlecrypto", "unlock", "workflows",
    ];

    private readonly HashSet<(string Name, string Version)>? _allowed;
    private readonly HashSet<(string Name, string Version)> _denied;

    private ApiAccess(HashSet<(string Name, string Version)>? allowed, HashSet<(string Name, string Version)> denied)
    {
        _allowed = allowed;
        _denied = denied;
    }

    /// <exception cref="ResourceException">A rule names no part of the API.</exception>
    public static ApiAccess Read(YamlMap? spec)
    {
        var allowed = RulesOf(spec?.Map("api"), "allowed");
        return new ApiAccess(allowed.Count > 0 ? allowed : null, RulesOf(spec?.Map("api"), "denied"));
    }

    /// <summary>Whether a part is open. Only what is listed is, if anything is; what is denied never is.</summary>
    /// <param name="name">For example <c>state</c>.</param>
    /// <param name="version">As in the path, for example <c>v1.0-alpha1</c>.</param>
    public bool IsOpen(string name, string version)
    {
        if (_allowed is null && _denied.Count == 0)
        {
            return true;
        }

        var rule = (name, Short(version));
        return !_denied.Contains(rule) && _allowed?.Contains(rule) != false;
    }

    /// <summary>Both spellings that are in use: <c>v1.0-alpha1</c> and <c>v1alpha1</c>.</summary>
    private static string Short(string version) => version.Replace(".0", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);

    private static HashSet<(string Name, string Version)> RulesOf(YamlMap? api, string list)
    {
        var rules = new HashSet<(string Name, string Version)>();
        foreach (var rule in api?.Maps(list) ?? [])
        {
            var name = rule.RequiredText("name");
            if (!Names.Contains(name))
            {
                throw rule.ErrorAt("name", $"'{name}' is no part of the API; expected one of {string.Join(", ", Names)}.");
            }

            if (rule.Text("protocol") is null or "http")
            {
                rules.Add((name, Short(rule.Text("version") ?? "v1.0")));
            }
        }

        return rules;
    }
}
