using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Configuration;

/// <summary>Which apps may call which methods of this app: <c>spec.accessControl</c> of the callee's Configuration.</summary>
/// <remarks>daprd knows the caller by its certificate; here both ends are in the hands of one user, and the caller is the app whose sidecar makes the call, in the namespace <c>default</c> and the trust domain <c>public</c>.</remarks>
internal sealed class AccessControl
{
    private const string Namespace = "default";
    private const string TrustDomain = "public";
    private readonly bool _byDefault;
    private readonly Dictionary<string, Policy> _policies;

    private AccessControl(bool byDefault, Dictionary<string, Policy> policies)
    {
        _byDefault = byDefault;
        _policies = policies;
    }

    /// <exception cref="ResourceException">An action or a verb is none.</exception>
    public static AccessControl? Read(YamlMap? spec)
    {
        if (spec?.Map("accessControl") is not { } access)
        {
            return null;
        }

        var policies = new Dictionary<string, Policy>(StringComparer.Ordinal);
        foreach (var policy in access.Maps("policies"))
        {
            // A policy for another namespace or trust domain is for no caller there is here.
            if (policy.Text("namespace") is null or Namespace && policy.Text("trustDomain") is null or TrustDomain)
            {
                policies[policy.RequiredText("appId")] = new Policy(IsAllow(policy, "defaultAction"), [.. policy.Maps("operations").Select(ReadOperation)]);
            }
        }

        // As daprd: without an action of its own the whole denies as soon as there are policies.
        return new AccessControl(IsAllow(access, "defaultAction") ?? policies.Count == 0, policies);
    }

    /// <summary>Whether a caller may call a method.</summary>
    /// <param name="caller">App id of the caller.</param>
    /// <param name="method">Path at the callee, without a leading slash.</param>
    /// <param name="verb">HTTP verb.</param>
    public bool Allows(string caller, string method, string verb)
    {
        if (!_policies.TryGetValue(caller, out var policy))
        {
            return _byDefault;
        }

        var best = policy.Operations.Where(operation => operation.Matches(method)).MaxBy(operation => operation.Weight);
        return best is not null && best.Takes(verb) ? best.IsAllowed : policy.ByDefault ?? _byDefault;
    }

    private static bool? IsAllow(YamlMap map, string key) => map.Text(key)?.ToLowerInvariant() switch
    {
        null or "" => null,
        "allow" => true,
        "deny" => false,
        var other => throw map.ErrorAt(key, $"{key} is '{other}'; expected allow or deny."),
    };

    private static Operation ReadOperation(YamlMap map) => new(
        map.RequiredText("name").Trim('/'),
        [.. map.Texts("httpVerb")],
        IsAllow(map, "action") ?? throw map.Error("an operation needs an 'action': allow or deny."));

    private sealed record Policy(bool? ByDefault, IReadOnlyList<Operation> Operations);

    /// <summary>A path, which may have a star for a segment and at its end a star for any rest.</summary>
    private sealed record Operation(string Path, IReadOnlyList<string> Verbs, bool IsAllowed)
    {
        private readonly string[] _segments = Path.Split('/');

        /// <summary>The more a path says, the more it weighs; a star says nothing.</summary>
        public int Weight => (_segments.Length * 2) - _segments.Count(segment => segment == "*");

        public bool Takes(string verb) => Verbs.Contains("*") || Verbs.Contains(verb, StringComparer.OrdinalIgnoreCase);

        public bool Matches(string method)
        {
            var given = method.Split('/');
            for (var i = 0; i < _segments.Length; i++)
            {
                if (_segments[i] == "*" && i == _segments.Length - 1)
                {
                    return given.Length > i;
                }

                if (i >= given.Length || (_segments[i] != "*" && _segments[i] != given[i]))
                {
                    return false;
                }
            }

            return given.Length == _segments.Length;
        }
    }
}
