{{/* A quantity of bytes in mebibytes, rounded up; 0 for one that is written otherwise. */}}
{{- define "footage-desk.mebibytes" -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" (include "footage-desk.text" .) }}
{{- $units := dict "Ki" 0.0009765625 "Mi" 1.0 "Gi" 1024.0 "Ti" 1048576.0 "k" 0.00095367431640625 "M" 0.95367431640625 "G" 953.67431640625 "T" 953674.31640625 }}
{{- $unit := trimPrefix $number (include "footage-desk.text" .) }}
{{- if and $number (hasKey $units $unit) }}{{ ceil (mulf (float64 $number) (index $units $unit)) | int64 }}{{ else }}0{{ end }}
{{- end }}

{{/* Sentences that say what to set. All that is wrong is told at once. */}}
{{- define "footage-desk.validate" -}}
{{- $v := .Values }}{{- $wrong := list }}
{{- if not $v.camunda.grpcAddress }}
  {{- $wrong = append $wrong "camunda.grpcAddress is not set: set it to the gateway's host and port, such as camunda-zeebe-gateway:26500." }}
{{- else if not (regexMatch ":[0-9]+$" $v.camunda.grpcAddress) }}
  {{- $wrong = append $wrong "camunda.grpcAddress has no port: write it as host:port, such as camunda-zeebe-gateway:26500." }}
{{- end }}
{{- if eq $v.camunda.auth.method "oidc" }}
  {{- if not (and $v.camunda.auth.oidc.tokenUrl $v.camunda.auth.oidc.clientId) }}
    {{- $wrong = append $wrong "camunda.auth.method is oidc: set camunda.auth.oidc.tokenUrl and camunda.auth.oidc.clientId too." }}
  {{- end }}
  {{- if not $v.camunda.tls.enabled }}
    {{- $wrong = append $wrong "camunda.auth.method is oidc and camunda.tls.enabled is false: the token would travel in the open, so enable TLS." }}
  {{- end }}
  {{- if not (include "footage-desk.hasSecret" $v.camunda.auth.oidc.secret) }}
    {{- $wrong = append $wrong "camunda.auth.oidc.secret is not set: name an existingSecret, or give an inlineSecret for a trial." }}
  {{- end }}
{{- end }}
{{- if and $v.camunda.tls.clientSecret (not $v.camunda.tls.enabled) }}
  {{- $wrong = append $wrong "camunda.tls.clientSecret is set and camunda.tls.enabled is false: enable TLS, or there is nobody to show the certificate to." }}
{{- end }}
{{- if not $v.database.host }}
  {{- $wrong = append $wrong "database.host is not set: set it to the PostgreSQL server's name." }}
{{- end }}
{{- if and (hasPrefix "verify-" $v.database.sslMode) (not (or $v.database.caSecret $v.database.systemAuthorities)) }}
  {{- $wrong = append $wrong (printf "database.sslMode is %s and database.caSecret is not set: name a Secret with the authority of the server as ca.crt, or nothing can be verified." $v.database.sslMode) }}
{{- end }}
{{- if and $v.database.systemAuthorities (or $v.database.caSecret (ne $v.database.sslMode "verify-full")) }}
  {{- $wrong = append $wrong "database.systemAuthorities is true: set database.sslMode to verify-full and leave database.caSecret empty, or any public authority could vouch for any server." }}
{{- end }}
{{- $most := int (include "footage-desk.databaseConnections" .) }}
{{- if and $v.database.maxConnections (gt $most (int $v.database.maxConnections)) }}
  {{- $wrong = append $wrong (printf "the release may open %d connections and database.maxConnections is %d: raise PostgreSQL's max_connections and this, or lower databasePool and the most pods of portal and workers." $most (int $v.database.maxConnections)) }}
{{- end }}
{{- range $group := list "store" "replica" }}
  {{- $place := index $v $group }}
  {{- if not $place.endpoint }}
    {{- $wrong = append $wrong (printf "%s.endpoint is not set: set it to the S3 server's host and port, without https://." $group) }}
  {{- else if contains "/" $place.endpoint }}
    {{- $wrong = append $wrong (printf "%s.endpoint has a scheme or a path: set host and port alone, and %s.secure." $group $group) }}
  {{- end }}
  {{- if not $place.accessKey }}
    {{- $wrong = append $wrong (printf "%s.accessKey is not set: set it to the access key's id." $group) }}
  {{- end }}
  {{- if and $place.owner.accessKey (not $place.owner.existingSecret) }}
    {{- $wrong = append $wrong (printf "%s.owner.accessKey is set and %s.owner.existingSecret is not: name the Secret with its secret access key." $group $group) }}
  {{- end }}
{{- end }}
{{- if and $v.store.endpoint (eq (lower $v.store.endpoint) (lower $v.replica.endpoint)) }}
  {{- $wrong = append $wrong "replica.endpoint is store.endpoint: set it to another server, a backup beside the original is none." }}
{{- end }}
{{- if and $v.database.owner.user (not $v.database.owner.existingSecret) }}
  {{- $wrong = append $wrong "database.owner.user is set and database.owner.existingSecret is not: name the Secret with that account's password." }}
{{- end }}
{{- $asked := dict "database.secret" $v.database.secret "store.secret" $v.store.secret "replica.secret" $v.replica.secret "vault.identity" $v.vault.identity "portal.key" $v.portal.key "recorders.key" $v.recorders.key "seal.key" $v.seal.key "auditLog.key" $v.auditLog.key }}
{{- range $path, $secret := $asked }}
  {{- if not (include "footage-desk.hasSecret" $secret) }}
    {{- $wrong = append $wrong (printf "%s is not set: name an existingSecret with its existingSecretKey, or give an inlineSecret for a trial." $path) }}
  {{- end }}
{{- end }}
{{- range $path, $secret := merge $asked (dict "camunda.auth.oidc.secret" $v.camunda.auth.oidc.secret "portal.mail.secret" $v.portal.mail.secret "portal.oidc.secret" $v.portal.oidc.secret "directory.secret" $v.directory.secret "portal.webhook.secret" $v.portal.webhook.secret "portal.accessLog.secret" $v.portal.accessLog.secret "portal.replicaAccessLog.secret" $v.portal.replicaAccessLog.secret) }}
  {{- if and $secret.inlineSecret $secret.existingSecret }}
    {{- $wrong = append $wrong (printf "%s has both an inlineSecret and an existingSecret: keep one of them." $path) }}
  {{- end }}
{{- end }}
{{- if not (and (hasPrefix "age1" $v.vault.recipient) (hasPrefix "age1" $v.vault.escrowRecipient)) }}
  {{- $wrong = append $wrong "vault.recipient and vault.escrowRecipient are not both set: make two pairs with age-keygen, set what `age-keygen -y` prints (age1…), and lock the escrow's identity away." }}
{{- else if eq $v.vault.recipient $v.vault.escrowRecipient }}
  {{- $wrong = append $wrong "vault.escrowRecipient is vault.recipient: make the escrow a pair of its own, or losing one loses both." }}
{{- end }}
{{- if not (contains "BEGIN CERTIFICATE" $v.seal.chain) }}
  {{- $wrong = append $wrong "seal.chain is not set: make the seal with `footage-desk keys make` and set what seal/seal-chain.pem holds." }}
{{- end }}
{{- if $v.portal.enabled }}
  {{- if not $v.portal.publicUrl }}
    {{- $wrong = append $wrong "portal.publicUrl is not set: set it to the address that people type, such as https://footage.example." }}
  {{- end }}
  {{- if and $v.portal.ingress.enabled (not $v.portal.ingress.host) }}
    {{- $wrong = append $wrong "portal.ingress.enabled is true and portal.ingress.host is not set: set the host." }}
  {{- end }}
  {{- if and $v.portal.httpRoute.enabled (not $v.portal.httpRoute.parentRefs) }}
    {{- $wrong = append $wrong "portal.httpRoute.enabled is true and portal.httpRoute.parentRefs is empty: name the gateway." }}
  {{- end }}
  {{- if and $v.portal.mail.host (not $v.portal.mail.sender) }}
    {{- $wrong = append $wrong "portal.mail.host is set and portal.mail.sender is not: set the address that mails come from." }}
  {{- end }}
  {{- if and $v.portal.mail.user (not (include "footage-desk.hasSecret" $v.portal.mail.secret)) }}
    {{- $wrong = append $wrong "portal.mail.user is set and portal.mail.secret is not: name an existingSecret with the password." }}
  {{- end }}
  {{- if $v.portal.oidc.issuer }}
    {{- if not (hasPrefix "https://" $v.portal.oidc.issuer) }}
      {{- $wrong = append $wrong "portal.oidc.issuer does not begin with https://: passwords would travel in the open, write the issuer as the provider does." }}
    {{- end }}
    {{- if not $v.portal.oidc.clientId }}
      {{- $wrong = append $wrong "portal.oidc.issuer is set and portal.oidc.clientId is not: set the client's id." }}
    {{- end }}
    {{- if not (include "footage-desk.hasSecret" $v.portal.oidc.secret) }}
      {{- $wrong = append $wrong "portal.oidc.issuer is set and portal.oidc.secret is not: name an existingSecret with the client's secret." }}
    {{- end }}
  {{- end }}
  {{- if and $v.portal.webhook.url (not (include "footage-desk.hasSecret" $v.portal.webhook.secret)) }}
    {{- $wrong = append $wrong "portal.webhook.url is set and portal.webhook.secret is not: name an existingSecret with the bytes." }}
  {{- end }}
  {{- if and $v.portal.autoscaling.enabled (gt (int $v.portal.autoscaling.minReplicas) (int $v.portal.autoscaling.maxReplicas)) }}
    {{- $wrong = append $wrong "portal.autoscaling.minReplicas is above maxReplicas: turn them round." }}
  {{- end }}
{{- end }}
{{- $table := .Files.Get "files/access.json" | fromJson }}
{{- $known := $table.jobTypes }}{{- $done := list }}
{{- $needs := prepend $table.portal "database" }}
{{- range $_, $some := $known }}{{- $needs = concat $needs $some }}{{- end }}
{{- range $name, $w := include "footage-desk.workers" . | fromJson }}
  {{- if not $w.jobTypes }}
    {{- $wrong = append $wrong (printf "workers.%s has no jobTypes: mend its name, name what it does, or set workers.%s.enabled to false." $name $name) }}
  {{- end }}
  {{- range $w.jobTypes }}
    {{- if and (not (hasKey $known .)) (not $w.extraAccess) }}
      {{- $wrong = append $wrong (printf "workers.%s does %s, which this release does not know: mend its name, or say in workers.%s.extraAccess what it needs ([database] where it needs no more)." $name . $name) }}
    {{- end }}
    {{- $done = append $done . }}
  {{- end }}
  {{- range $w.extraAccess }}
    {{- if not (has . $needs) }}
      {{- $wrong = append $wrong (printf "workers.%s.extraAccess names %s, which nothing here is called: take one of %s." $name . (join ", " ($needs | uniq | sortAlpha))) }}
    {{- end }}
  {{- end }}
  {{- if lt (int $w.replicas) 1 }}
    {{- $wrong = append $wrong (printf "workers.%s.replicas is below 1: its jobs would wait for ever; set 1 or more." $name) }}
  {{- end }}
  {{- if and $w.autoscaling.enabled $w.keda.enabled }}
    {{- $wrong = append $wrong (printf "workers.%s has both autoscaling and keda enabled: they would fight over its size, keep one of them." $name) }}
  {{- end }}
  {{- if and $w.keda.enabled (not $w.keda.triggers) }}
    {{- $wrong = append $wrong (printf "workers.%s.keda.enabled is true and its triggers are empty: say what is measured." $name) }}
  {{- end }}
  {{- if and $w.keda.enabled (lt (int $w.keda.minReplicas) 1) }}
    {{- $wrong = append $wrong (printf "workers.%s.keda.minReplicas is below 1: nobody would take the first job; set 1 or more." $name) }}
  {{- end }}
  {{- if gt (len (printf "%s-worker-%s" (include "footage-desk.fullname" $) $name)) 63 }}
    {{- $wrong = append $wrong (printf "workers.%s makes names longer than 63 letters: shorten it." $name) }}
  {{- end }}
  {{- range $variable, $_ := $w.extraEnv }}
    {{- if eq $variable "FOOTAGE_DESK_DATABASE__POOL_SIZE" }}
      {{- $wrong = append $wrong (printf "workers.%s.extraEnv sets FOOTAGE_DESK_DATABASE__POOL_SIZE, which the sum of connections would not know: set workers.%s.databasePool." $name $name) }}
    {{- end }}
    {{- if eq $variable "FOOTAGE_DESK_WORKERS__DRAIN_SECONDS" }}
      {{- $wrong = append $wrong (printf "workers.%s.extraEnv sets FOOTAGE_DESK_WORKERS__DRAIN_SECONDS, which the pod's end would not know: set workers.%s.drainSeconds." $name $name) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $undone := list }}
{{- range $jobType, $_ := $known }}{{- if not (has $jobType $done) }}{{- $undone = append $undone $jobType }}{{- end }}{{- end }}
{{- if $undone }}
  {{- $wrong = append $wrong (printf "no worker does %s: cases would stop there; add it to the jobTypes of one of the workers." (join ", " $undone)) }}
{{- end }}
{{- if not (or $v.loanKeys.existingClaim (has "ReadWriteMany" $v.loanKeys.accessModes) (has "ReadWriteOnce" $v.loanKeys.accessModes)) }}
  {{- $wrong = append $wrong "loanKeys.accessModes has no ReadWriteMany: several pods share the loan keys and some write them, so keep it and name a storageClass that bears it, or name an existingClaim." }}
{{- end }}
{{- with $v.backup }}
  {{- if and .enabled (not .existingClaim) }}
    {{- $wrong = append $wrong "backup.enabled is true and backup.existingClaim is not set: name the claim that backups are written to." }}
  {{- end }}
  {{- if and .enabled (ne (empty .recipient) (empty .loanKeysClaim)) }}
    {{- $wrong = append $wrong "backup.recipient and backup.loanKeysClaim belong together: set both, or neither and no loan key is backed up." }}
  {{- end }}
  {{- if and .enabled .recipient (eq .recipient $v.vault.recipient) }}
    {{- $wrong = append $wrong "backup.recipient is vault.recipient, whose identity lies in the cluster: name one whose identity lies offline." }}
  {{- end }}
  {{- if and .enabled .existingClaim (eq .existingClaim .loanKeysClaim) }}
    {{- $wrong = append $wrong "backup.loanKeysClaim is backup.existingClaim: loan keys do not lie beside the database, name another claim." }}
  {{- end }}
{{- end }}
{{- with $v.directory }}
  {{- if and .enabled (not .host) }}
    {{- $wrong = append $wrong "directory.enabled is true and directory.host is not set: name the directory server." }}
  {{- end }}
  {{- if and .host (not .base) }}
    {{- $wrong = append $wrong "directory.host is set and directory.base is not: say where the people are, such as ou=people,dc=example." }}
  {{- end }}
  {{- if and .host (ne (empty .bindDn) (empty (include "footage-desk.hasSecret" .secret))) }}
    {{- $wrong = append $wrong "directory.bindDn and directory.secret belong together: set both, or neither and the directory is read anonymously." }}
  {{- end }}
{{- end }}
{{- $parts := dict "portal" $v.portal "backup" $v.backup "directory" $v.directory }}
{{- range $name, $w := include "footage-desk.workers" . | fromJson }}{{- $_ := set $parts (printf "workers.%s" $name) $w }}{{- end }}
{{- range $path, $part := $parts }}
  {{- $limit := index (default dict $part.resources.limits) "ephemeral-storage" }}
  {{- $holds := include "footage-desk.mebibytes" (default "" $limit) | int }}
  {{- if and $holds (le $holds (add 64 (int (include "footage-desk.mebibytes" $part.tmpSize)))) }}
    {{- $wrong = append $wrong (printf "%s.resources.limits.ephemeral-storage is %v and %s.tmpSize %v: with 64Mi of the data folder and the logs a pod would be evicted before /tmp is full, so raise the limit above both, by 128Mi or more for the logs." $path $limit $path $part.tmpSize) }}
  {{- end }}
{{- end }}
{{- $read := .Files.Get "files/settings.json" | fromJson }}{{- $settings := $read.settings }}
{{- $given := dict "config" $v.config "extraEnv" $v.extraEnv }}
{{- range $part := list "portal" "workerDefaults" "migration" "deployment" "backup" "directory" "test" }}
  {{- $_ := set $given (printf "%s.extraEnv" $part) (default dict (index $v $part).extraEnv) }}
{{- end }}
{{- range $name, $own := $v.workers }}{{- $_ := set $given (printf "workers.%s.extraEnv" $name) (default dict $own.extraEnv) }}{{- end }}
{{- range $path, $variables := $given }}
  {{- range $name, $_ := $variables }}
    {{- if and (hasPrefix "FOOTAGE_DESK_" $name) (not (has $name $settings)) }}
      {{- $wrong = append $wrong (printf "%s.%s is no setting of this release, so nothing would read it: mend its name (docs/settings.md)." $path $name) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- range $v.prometheusRule.excludeRules }}
  {{- if not ($.Files.Get (printf "files/alerts/%s.yaml" .)) }}
    {{- $wrong = append $wrong (printf "prometheusRule.excludeRules names %s, and no alert has that file: mend its name, such as no-worker." .) }}
  {{- end }}
{{- end }}
{{- range $name, $_ := $v.config }}
  {{- if not (or (hasPrefix "FOOTAGE_DESK_" $name) (has $name $settings) (has $name $read.others)) }}
    {{- $wrong = append $wrong (printf "config.%s is read by nothing in this release: mend its name (docs/settings.md), or set it in extraEnv, which takes any variable; a sidecar has variables of its own." $name) }}
  {{- end }}
  {{- if regexMatch "(PASSWORD|SECRET|_KEY$|_TOKEN$|DATABASE_URL)" $name }}
    {{- $wrong = append $wrong (printf "config.%s looks like a secret, and config is a ConfigMap: use the values that take an existingSecret, or extraEnv with a secretKeyRef." $name) }}
  {{- end }}
  {{- if eq $name "FOOTAGE_DESK_DATABASE__POOL_SIZE" }}
    {{- $wrong = append $wrong "config.FOOTAGE_DESK_DATABASE__POOL_SIZE is set, and portal and workers have sizes of their own: set portal.databasePool and workerDefaults.databasePool." }}
  {{- end }}
  {{- if eq $name "FOOTAGE_DESK_DEMO" }}
    {{- $wrong = append $wrong "config.FOOTAGE_DESK_DEMO is set: a demo is one process, run it with footage-desk run --demo." }}
  {{- end }}
{{- end }}
{{- if $wrong }}
  {{- fail (printf "\n[footage-desk] %s\n" (join "\n[footage-desk] " $wrong)) }}
{{- end }}
{{- end }}
